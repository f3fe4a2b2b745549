import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from mixers.budget import (
    Mixture,
    MixtureError,
    Supply,
    asked_of_groups,
    solve_budget,
    vanishing_groups,
)

PLENTY = Supply(documents=10, tokens=10**15, loss_tokens=10**15)

weights = st.dictionaries(st.text(min_size=1, max_size=5), st.floats(0.001, 1), min_size=1, max_size=40)


def supply(tokens, loss_tokens=None):
    return Supply(documents=7, tokens=tokens, loss_tokens=tokens if loss_tokens is None else loss_tokens)


@given(weights, st.integers(1, 10**13))
def test_quotas_add_up_and_are_within_one_token_of_the_share(weights, tokens):
    mixture = Mixture(tokens=tokens, weights=weights)
    assume(not vanishing_groups(mixture))
    budget = solve_budget(mixture, dict.fromkeys(weights, PLENTY))
    assert sum(budget.quotas.values()) == tokens
    assert sum(entry.share for entry in budget.groups) == 1
    assert all(abs(entry.quota - entry.share * tokens) < 1 for entry in budget.groups)


@given(weights, st.integers(1, 10**6), st.sampled_from(["fail", "repeat", "renormalize"]))
def test_a_weight_that_asks_for_nothing_is_refused(weights, tokens, on_shortage):
    mixture = Mixture(tokens=tokens, weights=weights, on_shortage=on_shortage)
    faults = vanishing_groups(mixture)
    assert faults.keys() == {group for group, asked in asked_of_groups(mixture).items() if not asked}
    if faults:
        with pytest.raises(MixtureError, match="its share rounds to none"):
            solve_budget(mixture, dict.fromkeys(weights, PLENTY))


def test_weights_are_read_as_the_decimals_that_were_written():
    budget = solve_budget(
        Mixture(tokens=10, weights={"a": 0.1, "b": 0.2, "c": 0.7}), dict.fromkeys("abc", PLENTY)
    )
    assert [entry.share for entry in budget.groups] == [Fraction(1, 10), Fraction(2, 10), Fraction(7, 10)]
    assert budget.quotas == {"a": 1, "b": 2, "c": 7}


def test_a_group_without_documents_is_named_with_those_that_have_some():
    with pytest.raises(MixtureError, match=r"'law' has a weight but no documents.*medicine, web"):
        solve_budget(Mixture(tokens=10, weights={"law": 1, "web": 1}), {"web": PLENTY, "medicine": PLENTY})


def test_renormalize_gives_the_share_of_a_group_without_documents_to_the_others():
    mixture = Mixture(tokens=100, weights={"law": 2, "web": 1, "code": 1}, on_shortage="renormalize")
    budget = solve_budget(mixture, {"web": PLENTY, "code": PLENTY, "law": supply(0)})
    assert budget.quotas == {"law": 0, "web": 50, "code": 50}
    (limit,) = budget.constraints
    assert (limit.group, limit.wanted, limit.given) == ("law", 50, 0)
    assert "law has no documents" in limit.cost and "0.00% instead of 50.00%" in limit.cost
    assert solve_budget(mixture, {"web": PLENTY, "code": PLENTY}).quotas == budget.quotas
    with pytest.raises(MixtureError, match="together can give 0"):
        solve_budget(mixture, {"law": supply(0)})
    with pytest.raises(MixtureError, match="'law' has a weight but no documents"):
        solve_budget(mixture.model_copy(update={"on_shortage": "repeat"}), {"web": PLENTY, "code": PLENTY})


def test_a_shortage_names_the_group_what_it_has_and_the_three_settings():
    mixture = Mixture(tokens="1M", weights={"web": 1, "law": 1}, max_epochs=4)
    with pytest.raises(MixtureError) as raised:
        solve_budget(mixture, {"web": PLENTY, "law": supply(50_000)})
    message = str(raised.value)
    for part in ("'law'", "500,000", "50,000", "4 epochs", "10.0", "weight", "max_epochs", "on_shortage"):
        assert part in message
    assert "web" not in message


def test_exactly_the_allowed_epochs_are_no_shortage():
    budget = solve_budget(Mixture(tokens=400, weights={"a": 1}), {"a": supply(100)})
    assert budget.groups[0].epochs == 4
    assert not budget.constraints


def test_repeat_goes_beyond_the_epochs_and_says_so():
    mixture = Mixture(tokens=1000, weights={"a": 1, "b": 1}, on_shortage="repeat")
    budget = solve_budget(mixture, {"a": supply(50), "b": PLENTY})
    assert budget.quotas == {"a": 500, "b": 500}
    (limit,) = budget.constraints
    assert limit.group == "a"
    assert "10.0 times" in limit.cost


def test_renormalize_shares_what_one_group_lacks_by_the_weights_of_the_others():
    mixture = Mixture(
        tokens=1000, weights={"a": 50, "b": 30, "c": 20}, max_epochs=1, on_shortage="renormalize"
    )
    budget = solve_budget(mixture, {"a": supply(100), "b": PLENTY, "c": PLENTY})
    assert budget.quotas == {"a": 100, "b": 540, "c": 360}
    (limit,) = budget.constraints
    assert (limit.group, limit.wanted, limit.given) == ("a", 500, 100)
    assert "10.00% instead of 50.00%" in limit.cost


def test_renormalize_names_a_group_that_is_exhausted_only_by_the_others_shortage():
    mixture = Mixture(
        tokens=1000, weights={"a": 50, "b": 30, "c": 20}, max_epochs=1, on_shortage="renormalize"
    )
    budget = solve_budget(mixture, {"a": supply(100), "b": supply(400), "c": PLENTY})
    assert budget.quotas == {"a": 100, "b": 400, "c": 500}
    assert [limit.group for limit in budget.constraints] == ["a", "b"]


def test_renormalize_fails_when_all_together_have_too_little():
    mixture = Mixture(tokens=1000, weights={"a": 1, "b": 1}, max_epochs=2, on_shortage="renormalize")
    with pytest.raises(MixtureError, match="together can give 800"):
        solve_budget(mixture, {"a": supply(100), "b": supply(300)})


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.tuples(st.floats(0.001, 1), st.integers(0, 1000)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 20_000),
    st.floats(1, 8),
)
def test_renormalize_caps_no_group_that_could_give_more_and_exceeds_no_limit(groups, tokens, max_epochs):
    mixture = Mixture(
        tokens=tokens,
        weights={name: weight for name, (weight, _) in groups.items()},
        max_epochs=max_epochs,
        on_shortage="renormalize",
    )
    assume(not vanishing_groups(mixture))
    limits = {name: math.floor(have * Fraction(max_epochs)) for name, (_, have) in groups.items()}
    supplies = {name: supply(have) for name, (_, have) in groups.items()}
    if sum(limits.values()) < tokens:
        with pytest.raises(MixtureError):
            solve_budget(mixture, supplies)
        return
    budget = solve_budget(mixture, supplies)
    assert sum(budget.quotas.values()) == tokens
    assert all(quota <= limits[name] for name, quota in budget.quotas.items())
    capped = {limit.group for limit in budget.constraints}
    assert all(budget.quotas[name] == limits[name] for name in capped)
    rates = [budget.quotas[name] / groups[name][0] for name in groups if name not in capped]
    rounding = 1 / min(weight for weight, _ in groups.values())
    assert not rates or max(rates) - min(rates) <= 2 * rounding


def test_loss_tokens_are_the_unit_when_asked():
    mixture = Mixture(tokens=100, weights={"qa": 1, "web": 1}, unit="loss_tokens", max_epochs=1)
    budget = solve_budget(mixture, {"qa": supply(1000, 50), "web": supply(60, 60)})
    assert budget.quotas == {"qa": 50, "web": 50}
    with pytest.raises(MixtureError, match="'qa' should give 100 loss_tokens but has 50"):
        solve_budget(mixture.model_copy(update={"tokens": 200}), {"qa": supply(1000, 50), "web": PLENTY})


def test_a_group_may_repeat_at_its_own_rate():
    mixture = Mixture(tokens=800, weights={"best": 1, "rest": 1}, max_epochs=1, group_max_epochs={"best": 7})
    assert solve_budget(mixture, {"best": supply(60), "rest": supply(400)}).quotas == {
        "best": 400,
        "rest": 400,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": {"a": 0}},
        {"weights": {"a": -1}},
        {"weights": {"a": float("nan")}},
        {"weights": {"a": "1"}},
        {"weights": {}},
        {"tokens": 0},
        {"max_epochs": 0.5},
        {"wieghts": {"a": 1}},
        {"sequence_length": 1},
        {"on_shortage": "ignore"},
        {"group_max_epochs": {"b": 2}},
    ],
)
def test_a_wrong_mixture_is_refused(wrong):
    with pytest.raises(ValidationError):
        Mixture(**({"tokens": 10, "weights": {"a": 1}} | wrong))

import pytest
from corpora import corpus

from mixers.budget import Mixture
from mixers.ledger import Ledger, LedgerError
from mixers.measure import effective_unique_tokens
from mixers.plan import plan_mixture

SEQUENCE_LENGTH = 512


@pytest.fixture(scope="module")
def ledger():
    mixture = Mixture(tokens="200k", weights={"a": 2, "b": 1}, sequence_length=SEQUENCE_LENGTH)
    return plan_mixture(corpus({"a": 300, "b": 300}), mixture, 0).ledger


def changed(ledger, quota=None, **group):
    """The ledger with other numbers for its first group."""
    first, *others = ledger.groups
    if quota:
        group["quota"] = first.quota.model_copy(update=quota)
    return ledger.model_copy(update={"groups": (first.model_copy(update=group), *others)})


def test_a_ledger_survives_json(ledger):
    assert Ledger.model_validate_json(ledger.model_dump_json()).check() == ledger


def test_repetition_is_worth_less_and_less():
    worth = [effective_unique_tokens(100, 100 * epochs) for epochs in (1, 2, 4, 16, 1000)]
    assert worth[0] == 100
    assert 195 < worth[1] < 200
    assert worth == sorted(worth)
    assert worth[-1] == pytest.approx(100 * (1 + 15.387756))
    assert effective_unique_tokens(0, 0) == 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"documents": 7}, "a: documents used, unused and dropped do not add up"),
        ({"longest_uncut": 513}, "a document of 513 tokens is in one row"),
        ({"shortest_cut": 512}, "a document of 512 tokens was cut though it fits"),
        ({"packs": 7}, "packs of all groups are not the rows"),
        ({"tokens": 7}, "tokens of all groups are not the tokens"),
        ({"most_repeated": 5}, "a row is used 5 times, with 4 epochs allowed"),
        ({"quota": {"largest_prefix_deviation": 512.0}}, "a prefix of rows deviates by 512.0"),
        ({"quota": {"built": 7}}, "7 were built for a quota of"),
        ({"quota": {"quota": 7}}, "quotas add up to"),
    ],
)
def test_each_broken_promise_is_named(ledger, broken, message):
    with pytest.raises(LedgerError, match=message):
        changed(ledger, **broken).check()


def test_a_row_that_is_too_long_is_named(ledger):
    with pytest.raises(LedgerError, match="A row holds 513 tokens"):
        ledger.model_copy(update={"longest_row": SEQUENCE_LENGTH + 1}).check()


def test_what_a_shortage_cost_is_in_the_ledger():
    mixture = Mixture(tokens="2M", weights={"a": 1, "b": 9}, on_shortage="renormalize", max_epochs=2)
    documents = corpus({"a": 3000, "b": 300})
    (cost,) = plan_mixture(documents, mixture, 0).ledger.check().constraints
    assert cost.startswith("b gives") and "the most within 2 epochs." in cost

"""Verdicts: each follows from the intervals of its own changes, and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.outcome.verdicts import verdicts_of
from tests.pipelines.report.outcome.contents import content, row


def changed(table: str, name: str, value: float, reach: float | None = 0.005) -> dict:
    """A row of a table in which the last stage differs from the base by so much."""
    interval = None if reach is None else (value - reach, value + reach)
    return {table: [row(name, {"stage1": (value, interval)})]}


def verdict(found: list[dict], name: str) -> dict:
    (one,) = [each for each in found if each["name"] == name]
    return one


def fired(tables: dict) -> set[str]:
    return {each["name"] for each in verdicts_of(content(tables)) if each["state"] == "fires"}


@pytest.mark.parametrize(
    ("table", "name", "value", "diagnostic"),
    [
        ("held_out", "general", 0.04, "forgets"),
        ("benchmarks", "general tasks", -0.04, "forgets"),
        ("held_out", "domain", -0.04, "learned the domain"),
        ("benchmarks", "domain tasks", 0.04, "learned the domain"),
        ("confusion_lines", "monolingual", -0.1, "mixes languages"),
        ("confusion_words", "crosslingual", -0.1, "mixes languages"),
        ("confusion_answers", "monolingual", -0.1, "gives no answers"),
        ("facts_invention", "Unknown", 0.1, "invents facts"),
        ("long_context", "all", -0.2, "loses long context"),
        ("long_context", "4,096 tokens", -0.2, "loses long context"),
        ("hit_questions", "exam, acc", 0.2, "contaminated"),
    ],
)
def test_a_change_beyond_its_margin_fires_its_own_diagnostic_alone(table, name, value, diagnostic):
    assert fired(changed(table, name, value)) == {diagnostic}
    assert fired(changed(table, name, -value)) == set()
    assert fired(changed(table, name, value, reach=abs(value))) == set()
    assert fired(changed(table, name, value, reach=None)) == set()


def test_a_verdict_says_what_it_rests_on_and_what_to_do():
    (first, *_) = verdicts_of(content(changed("held_out", "general", 0.04)))
    assert first["sentence"] == (
        "forgets: general +0.040 bits per byte (interval +0.035 to +0.045; margin 0.01)"
    )
    assert "replay" in first["advice"]


def test_what_was_not_measured_is_said():
    found = verdicts_of(content({}))
    assert {each["state"] for each in found} == {"not measured"}
    assert all("Not measured: " in each["sentence"] for each in found)


def test_nothing_fires_where_nothing_changed():
    tables = {}
    for table, name in (("held_out", "general"), ("held_out", "domain"), ("facts_invention", "Unknown")):
        tables.setdefault(table, []).append(row(name, {"stage1": (0.0, (-0.001, 0.001))}))
    found = verdicts_of(content(tables))
    assert {each["name"] for each in found if each["state"] == "clear"} == {
        "forgets",
        "learned the domain",
        "invents facts",
    }
    assert "does not forget" in verdict(found, "forgets")["sentence"]


@given(
    st.floats(-0.5, 0.5, allow_subnormal=False),
    st.floats(0, 0.3, allow_subnormal=False),
)
def test_forgetting_is_judged_by_the_interval_and_the_margin(value, reach):
    state = verdict(verdicts_of(content(changed("held_out", "general", value, reach))), "forgets")["state"]
    low, high = value - reach, value + reach
    assert state == ("fires" if low > 0.01 else "clear" if high <= 0.01 else "unsure")


def test_under_trained_new_tokens_are_those_of_the_last_stage():
    of_all = {"stage1": (0.1, (0.1, 0.1)), "merged 0.5": (0.5, (0.5, 0.5))}
    assert fired({"new_tokens": [row("under-trained", scores=of_all)]}) == {"under-trained new tokens"}
    none = {"stage1": (0.0, (0.0, 0.0)), "merged 0.5": (0.5, (0.5, 0.5))}
    assert fired({"new_tokens": [row("under-trained", scores=none)]}) == set()


@pytest.mark.parametrize(
    ("value", "reach", "state"),
    [(0.0, 0.005, "fires"), (0.2, 0.1, "fires"), (-0.2, 0.1, "clear"), (0.0, 0.1, "unsure")],
)
def test_a_prompt_does_as_well_unless_training_is_better(value, reach, state):
    rows = [row("domain tasks", from_tuned={"base + prompt": (value, (value - reach, value + reach))})]
    found = verdicts_of(content({"benchmarks": rows}))
    assert verdict(found, "retrieval does as well")["state"] == state


@pytest.mark.parametrize("name", ["merged 0.5", "replay 25%"])
@pytest.mark.parametrize(
    ("general", "domain", "state"),
    [
        (-0.05, 0.0, "fires"),
        (-0.05, 0.05, "clear"),  # it gives the domain up
        (0.0, 0.0, "clear"),  # nothing was forgotten that it could bring back
        (-0.012, 0.0, "unsure"),
    ],
)
def test_a_remedy_helps_where_it_forgets_less_and_has_learned_as_much(name, general, domain, state):
    found = verdict(verdicts_of(content(beside_tuned({name: (general, domain)}))), "a remedy helps")
    assert found["state"] == state
    assert (name in found["advice"]) == (state == "fires")


def test_the_best_remedy_is_named():
    tables = beside_tuned({"merged 0.5": (-0.05, 0.0), "replay 25%": (-0.08, 0.0)})
    found = verdict(verdicts_of(content(tables)), "a remedy helps")
    assert found["sentence"] == (
        "a remedy helps: replay 25% forgets less than stage1 and has learned as much"
    )
    assert "train stage1 again" in found["advice"]


def test_remedies_are_advised_where_none_were_tried():
    forgets = changed("held_out", "general", 0.04)
    untried = content(forgets, {"base": "base", "stage1": "stage"})
    for of, is_advised in ((content(forgets), False), (untried, True)):
        assert ("`outcome.remedies`" in verdict(verdicts_of(of), "forgets")["advice"]) == is_advised


def beside_tuned(changes: dict[str, tuple[float, float]]) -> dict:
    """Bits per byte of general text and of the domain less those of the last stage, by variant."""
    return {
        "held_out": [
            row(
                name,
                from_tuned={
                    variant: (both[place], (both[place] - 0.005, both[place] + 0.005))
                    for variant, both in changes.items()
                },
            )
            for place, name in enumerate(("general", "domain"))
        ]
    }

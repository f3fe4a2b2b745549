"""Verdicts straight from texts are those of the table of all signals."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality.judge import judge
from filters.quality.rules import PRESETS, Rule, first_failed, preset
from filters.quality.signals import compute_signals
from tests.filters.strategies import documents

RULES = [rule for name in sorted(PRESETS) if name != "bad_words" for rule in PRESETS[name]]


@given(st.lists(documents, max_size=12), st.lists(st.sampled_from(RULES), max_size=12), st.booleans())
def test_the_first_failed_rule_whatever_the_rules_order(
    texts: list[str], rules: list[Rule], whitespace: bool
) -> None:
    column = pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())
    words = "whitespace" if whitespace else "unicode"
    assert judge(column, rules, words).equals(first_failed(compute_signals(column, words), rules))


def test_most_documents_leave_before_the_last_family_is_measured() -> None:
    lines = ["no end\n" * 20] * 9
    prose = " ".join(f"House number {n} is on the old street that leads to the sea." for n in range(30))
    verdicts = judge(pa.array([*lines, prose]), preset("fineweb")).to_pylist()
    assert verdicts == ["fineweb.min_punctuated_lines"] * 9 + [None]


def test_a_rule_that_needs_more_than_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="bad_words"):
        judge(pa.array(["text"]), preset("bad_words"))

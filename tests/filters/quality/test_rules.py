from __future__ import annotations

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.quality.rules import PRESETS, Rule, all_failed, first_failed, limits, preset
from filters.quality.signals import compute_signals

PROSE = " ".join(
    f"The house number {n} is on the old street that leads to the town and the sea." for n in range(30)
)


def verdict(text: str, name: str, **overrides: float) -> str | None:
    return first_failed(compute_signals(pa.array([text])), preset(name, overrides)).to_pylist()[0]


@pytest.mark.parametrize("name", ["gopher_quality", "c4", "fineweb"])
def test_prose_passes(name: str) -> None:
    assert verdict(PROSE, name) is None


@pytest.mark.parametrize(
    ("text", "name", "rule"),
    [
        ("Too short.", "gopher_quality", "min_words"),
        ("# " * 20 + PROSE[:400], "gopher_quality", "max_hashes_per_word"),
        ("слово " * 60, "gopher_quality", "min_stop_words"),
        ("", "gopher_repetition", "min_characters"),
        ("same line here\n" * 50, "gopher_repetition", "max_dup_lines"),
        (PROSE + " Lorem ipsum dolor.", "c4", "max_lorem_ipsum"),
        (PROSE + " {", "c4", "max_curly_brackets"),
        ("One. Two.", "c4", "min_sentences"),
        ("no end\n" * 20, "fineweb", "min_punctuated_lines"),
    ],
)
def test_the_verdict_names_the_first_rule_that_failed(text: str, name: str, rule: str) -> None:
    assert verdict(text, name) == f"{name}.{rule}"


def test_russian_prose_passes_the_russian_presets() -> None:
    text = " ".join(f"Почтальон не знал, что и в доме {n} на соседней улице живут люди." for n in range(30))
    assert verdict(text, "gopher_quality") == "gopher_quality.min_stop_words"
    assert verdict(text, "gopher_quality_ru") is None
    assert verdict(text.replace(". ", "…\n"), "fineweb_ru", max_newlines_per_word=1) is None


def test_overrides_replace_one_threshold() -> None:
    assert verdict("The cat and the dog were too short.", "gopher_quality", min_words=5) is None
    rules = {rule.name: rule for rule in preset("gopher_quality", {"max_words": 10})}
    assert rules["gopher_quality.max_words"].max == 10
    assert len(rules) == len(PRESETS["gopher_quality"])


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'min_words'"):
        preset("gopher_quality", {"min_wrods": 5})
    with pytest.raises(ValueError, match="Did you mean 'fineweb'"):
        preset("finewebs")
    with pytest.raises(ValidationError, match="Did you mean 'words'"):
        Rule(name="mine", signal="wrods", min=1)
    with pytest.raises(ValidationError, match="neither min nor max"):
        Rule(name="mine", signal="words")


def test_every_failure_is_counted() -> None:
    signals = compute_signals(pa.array(["Too short.", PROSE, "{ { {"]))
    failed = all_failed(signals, (*PRESETS["gopher_quality"], *PRESETS["c4"]))
    assert failed["gopher_quality.min_words"] == 2
    assert failed["c4.max_curly_brackets"] == 1
    assert failed["gopher_quality.max_words"] == 0


def test_thresholds_themselves_pass() -> None:
    rule = Rule(name="mine", signal="words", min=2.0, max=3.0)
    signals = compute_signals(pa.array(["a", "a b", "a b c", "a b c d"]))
    assert first_failed(signals, [rule]).to_pylist() == ["mine", None, None, "mine"]
    assert first_failed(signals, []).to_pylist() == [None] * 4


def test_limits_of_any_signal_are_rules() -> None:
    rules = (*limits("words", 3, 5), *limits("script_cyrillic", None, 0.5))
    signals = compute_signals(
        pa.array(["one two", "one two three", "one two three four five six", "раз два три"])
    )
    assert first_failed(signals, rules).to_pylist() == ["words.min", None, "words.max", "script_cyrillic.max"]

"""Rules: thresholds over signals. A verdict names the first rule that a document fails.

The presets restate published filters. Each threshold is the one of the paper or, where the paper is silent,
of the reference implementation that its authors released; `docs/curation.md` lists them with their sources.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.quality import bad_words
from filters.quality.gopher_repetition import DUPLICATE_NGRAMS, TOP_NGRAMS
from filters.quality.signals import SIGNALS

_SIGNALS = {**SIGNALS, bad_words.SIGNAL.name: bad_words.SIGNAL}


class Rule(BaseModel):
    """A document fails the rule when the signal is below `min` or above `max`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(description="Unique name, '<preset>.<key>' or '<signal>.<limit>'.")
    signal: str = Field(description="Name of the signal: one of filters.signals.SIGNALS, or bad_words.")
    min: float | None = Field(default=None, description="Smallest value that passes.")
    max: float | None = Field(default=None, description="Largest value that passes.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            _check_limits(self.signal, self.min, self.max)
        except ValueError as error:
            raise ValueError(f"Rule {self.name!r}: {error}") from error
        return self

    def failed(self, values: np.ndarray) -> np.ndarray:
        """Which values fail: bool, the shape of `values`."""
        failed = np.zeros(len(values), dtype=np.bool_)
        if self.min is not None:
            failed |= values < self.min
        if self.max is not None:
            failed |= values > self.max
        return failed


def _check_limits(signal: str, least: float | None, most: float | None) -> None:
    if signal not in _SIGNALS:
        raise ValueError(f"Unknown signal {signal!r}.{_nearest(signal, _SIGNALS)}")
    if least is None and most is None:
        raise ValueError(f"The signal {signal!r} has neither min nor max.")


def _rules(preset: str, thresholds: Mapping[str, tuple[str, float]]) -> tuple[Rule, ...]:
    """Rules from {key: (signal, threshold)}; the key starts with the kind of threshold, min or max."""
    return tuple(
        Rule(name=f"{preset}.{key}", signal=signal, **{key[:3]: float(threshold)})
        for key, (signal, threshold) in thresholds.items()
    )


# Rae et al. 2021 (arXiv 2112.11446), appendix A1.1.
_GOPHER_QUALITY = {
    "min_words": ("non_symbol_words", 50),
    "max_words": ("non_symbol_words", 100_000),
    "min_mean_word_length": ("mean_word_length", 3),
    "max_mean_word_length": ("mean_word_length", 10),
    "max_hashes_per_word": ("hashes_per_word", 0.1),
    "max_ellipses_per_word": ("ellipses_per_word", 0.1),
    "max_bullet_lines": ("bullet_line_fraction", 0.9),
    "max_ellipsis_lines": ("ellipsis_line_fraction", 0.3),
    "min_alpha_words": ("alpha_word_fraction", 0.8),
    "min_stop_words": ("stop_words_en", 2),
}


def _repetition(top: tuple[float, ...], duplicate: tuple[float, ...]) -> dict[str, tuple[str, float]]:
    """Thresholds over the characters in the most frequent, and in repeated, n-grams of each length."""
    tops = {f"max_top_{n}gram_chars": f"top_{n}gram_char_fraction" for n in TOP_NGRAMS}
    duplicates = {f"max_dup_{n}gram_chars": f"dup_{n}gram_char_fraction" for n in DUPLICATE_NGRAMS}
    named = zip((tops | duplicates).items(), top + duplicate, strict=True)
    return {key: (signal, threshold) for (key, signal), threshold in named}


# Rae et al. 2021, table A1.
_GOPHER_REPETITION = {
    "min_characters": ("characters", 1),
    "max_dup_paragraphs": ("dup_paragraph_fraction", 0.3),
    "max_dup_paragraph_chars": ("dup_paragraph_char_fraction", 0.2),
    "max_dup_lines": ("dup_line_fraction", 0.3),
    "max_dup_line_chars": ("dup_line_char_fraction", 0.2),
    **_repetition((0.20, 0.18, 0.16), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)),
}

# Raffel et al. 2020 (JMLR 21), section 2.2.
_C4 = {
    "max_lorem_ipsum": ("lorem_ipsum", 0),
    "max_curly_brackets": ("curly_brackets", 0),
    "min_sentences": ("sentences", 5),
}

# The same, with a list of words that the user supplies; see filters/bad_words.py.
_BAD_WORDS = {"max_bad_words": ("bad_words", 0)}

# Penedo et al. 2024 (arXiv 2406.17557), section 3.6; newlines per word from datatrove's FineWebQualityFilter.
_FINEWEB = {
    "min_punctuated_lines": ("punctuated_line_fraction", 0.12),
    "max_short_lines": ("short_line_fraction", 0.67),
    "max_dup_line_chars": ("dup_nonblank_line_char_fraction", 0.01),
    "max_newlines_per_word": ("newlines_per_word", 0.3),
}

# Lozhkov et al. 2024 (arXiv 2402.19173), section 2.1; XML: Li et al. 2023 (arXiv 2305.06161), section 3.1.
_CODE = {
    "max_lines": ("lines", 100_000),
    "max_mean_line_length": ("mean_line_length", 100),
    "max_line_length": ("longest_line", 1000),
    "max_autogenerated_marks": ("autogenerated_marks", 0),
    "min_alphabetic": ("alphabetic_fraction", 0.25),
    "max_longest_encoded": ("longest_encoded", 1024),
    "max_encoded": ("encoded_fraction", 0.5),
    "max_xml_headers": ("xml_headers", 0),
}

# Paster et al. 2023 (arXiv 2310.06786): at least 100 characters (`filter_dataset.py`), some mathematics (the
# prefilter). How much is ours, see docs/curation.md.
_MATH = {
    "min_characters": ("characters", 100),
    "min_math": ("math_fraction", 0.005),
}

# Penedo et al. 2025, "FineWeb2" (arXiv 2506.20920), pipeline and `configs/rus_Cyrl.yml`. The terminal marks
# are ours.
_GOPHER_QUALITY_RU = {
    **_GOPHER_QUALITY,
    "max_mean_word_length": ("mean_word_length", 11),
    "min_alpha_words": ("alpha_word_fraction", 0.713),
    "max_bullet_lines": ("bullet_line_fraction_ru", 0.9),
    "min_stop_words": ("stop_words_ru", 2),
}
_GOPHER_REPETITION_RU = {
    "min_characters": ("characters", 1),
    "max_dup_lines": ("dup_line_fraction", 0.322),
    **_repetition((0.184, 0.164, 0.146), (0.168, 0.156, 0.145, 0.133, 0.121, 0.109)),
}
_FINEWEB_RU = {
    "min_punctuated_lines": ("punctuated_line_fraction_ru", 0.231),
    "max_dup_line_chars": ("dup_nonblank_line_char_fraction", 0.1),
    "max_newlines_per_word": ("newlines_per_word", 0.139),
}

_THRESHOLDS: dict[str, Mapping[str, tuple[str, float]]] = {
    "gopher_quality": _GOPHER_QUALITY,
    "gopher_repetition": _GOPHER_REPETITION,
    "c4": _C4,
    "bad_words": _BAD_WORDS,
    "fineweb": _FINEWEB,
    "code": _CODE,
    "math": _MATH,
    "gopher_quality_ru": _GOPHER_QUALITY_RU,
    "gopher_repetition_ru": _GOPHER_REPETITION_RU,
    "fineweb_ru": _FINEWEB_RU,
}

PRESETS: dict[str, tuple[Rule, ...]] = {name: _rules(name, found) for name, found in _THRESHOLDS.items()}


def preset(name: str, overrides: Mapping[str, float] | None = None) -> tuple[Rule, ...]:
    """The rules of a preset, with thresholds replaced by key: `{"min_words": 20}`.

    Raises:
        ValueError: The preset or a key is unknown; the message names the nearest valid one.
    """
    if name not in PRESETS:
        raise ValueError(f"Unknown rule preset {name!r}.{_nearest(name, PRESETS)}")
    overrides = overrides or {}
    keys = {rule.name.removeprefix(f"{name}."): rule for rule in PRESETS[name]}
    for key in overrides:
        if key not in keys:
            raise ValueError(f"Unknown threshold {key!r} of preset {name!r}.{_nearest(key, keys)}")
    return tuple(
        rule.model_copy(update={key[:3]: float(overrides[key])}) if key in overrides else rule
        for key, rule in keys.items()
    )


def limits(signal: str, least: float | None, most: float | None) -> tuple[Rule, ...]:
    """A rule for each limit of a signal: `words.min`, `words.max`.

    Raises:
        ValueError: There is no such signal, the message names the nearest one; or no limit.
    """
    _check_limits(signal, least, most)
    given = {"min": least, "max": most}
    return tuple(
        Rule(name=f"{signal}.{key}", signal=signal, **{key: float(limit)})
        for key, limit in given.items()
        if limit is not None
    )


def _nearest(word: str, valid: Mapping[str, object]) -> str:
    found = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.0)
    return f" Did you mean {found[0]!r}?" if found else ""


def first_failed(signals: pa.Table, rules: Sequence[Rule]) -> pa.StringArray:
    """For each document the name of the first rule it fails, null where it passes all."""
    verdicts = np.full(signals.num_rows, len(rules))
    for number in reversed(range(len(rules))):
        verdicts[rules[number].failed(_values(signals, rules[number]))] = number
    return rule_names(verdicts, rules)


def rule_names(verdicts: np.ndarray, rules: Sequence[Rule]) -> pa.StringArray:
    """The names of rules by their numbers, null for the number behind the last."""
    return pa.array([*(rule.name for rule in rules), None], pa.string()).take(pa.array(verdicts))


def all_failed(signals: pa.Table, rules: Sequence[Rule]) -> dict[str, int]:
    """For each rule the number of documents that fail it, whatever else they fail."""
    return {rule.name: int(rule.failed(_values(signals, rule)).sum()) for rule in rules}


def _values(signals: pa.Table, rule: Rule) -> np.ndarray:
    values: np.ndarray = signals.column(rule.signal).to_numpy()
    return values

"""Unwanted words against the regular expression of C4's reference implementation."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality.bad_words import BadWords, count_bad_words

WORDS = [
    "plonk",
    "Dregs",
    "sour wine",
    "s&m",
    "ёж",
    "ПРОБКА",
    "e",
    "дно бочки",
    "🍷",
    "-cork",
    "wine",
    "酒",
    "corked",
]
PIECES = [
    *WORDS,
    *(word.upper() for word in WORDS),
    " ",
    " ",
    "\n",
    "_",
    "x",
    ",",
    "1",
    "я",
    "\u0301",
    "\xa0",
    "酸",
]

texts = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


def counts(text: str, words: list[str], language: str | None = None) -> int:
    return count_bad_words(pa.array([text]), BadWords.build(words, language)).to_pylist()[0]


def expected(text: str, words: list[str], bounded: bool) -> int:
    either = "|".join(re.escape(word.lower()) for word in words)
    lower = text.lower()
    pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)" if bounded else either)
    return sum(pattern.match(lower, at) is not None for at in range(len(lower)))


@given(texts, st.lists(st.sampled_from(WORDS), min_size=1, unique=True))
def test_counts_equal_the_reference(text: str, words: list[str]) -> None:
    assert counts(text, words) == expected(text, words, bounded=True)
    assert counts(text, words, "zh") == expected(text, words, bounded=False)


@given(texts, st.lists(st.sampled_from(WORDS), min_size=1, unique=True))
def test_a_text_without_any_is_one_that_c4_keeps(text: str, words: list[str]) -> None:
    either = "|".join(re.escape(word.lower()) for word in words)
    found = re.search(rf"(?:\W|^)({either})(?:\W|$)", text.lower())
    assert (counts(text, words) > 0) == (found is not None)


def test_words_are_cleaned_and_batches_are_counted_each() -> None:
    words = BadWords.build([" Plonk\n", "", "  "])
    table = pa.chunked_array([["plonk", "a plonk, a PLONK"], ["", "plonky"]], pa.string())
    assert count_bad_words(table, words).to_pylist() == [1, 2, 0, 0]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no word in the list"):
        BadWords.build(["", " "])


@pytest.mark.parametrize("piece", ["a", "a ", "\u0301", "я"])
def test_hostile_repetition_is_survived(piece: str) -> None:
    assert counts(piece * 200_000, [(piece * 50).strip() + "b"]) == 0

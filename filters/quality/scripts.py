"""Signals of writing systems: how much of a document is in which script, and whether words mix them.

The scripts are the Unicode property Script, of letters alone (categories L*): digits, punctuation and marks
belong to every language. A word that mixes Cyrillic with Latin or Greek letters is the mark of homoglyphs,
letters that look alike, put in to get around a filter, or left by bad text recognition.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache

import numpy as np

from filters.quality.documents import Documents
from filters.quality.signal import Family, count, ratio
from filters.text.characters import (
    HIGH_BITS,
    LETTER,
    MARK,
    ONES,
    ascii_letters,
    character_classes,
    decode,
    width,
)
from filters.text.hashing import load64
from filters.text.kernel import inline_kernel, kernel

_RANGES = {
    "latin": "41-5a 61-7a aa ba c0-2b8 2e0-2e4 1d00-1d25 1d2c-1d5c 1d62-1d65 1d6b-1d77 1d79-1dbe 1e00-1eff "
    "2071 207f 2090-209c 212a-212b 2184 2c60-2c7f a722-a787 a78b-a7ff ab30-ab64 ab66-ab69 fb00-fb06 "
    "ff21-ff5a 10780-107ba 1df00-1df2a",
    "cyrillic": "400-52f 1c80-1c8f 1d2b 1d78 a640-a69f 1e030-1e08f",
    "greek": "370-3e1 3f0-3ff 1d26-1d2a 1d5d-1d61 1d66-1d6a 1f00-1fff 2126 ab65",
    "han": "3005-3006 3400-4dbf 4e00-9fff f900-faff 20000-323af",
    "kana": "3041-30ff 31f0-31ff ff66-ff9f 1aff0-1b167",
    "hangul": "1100-11ff 3131-318e a960-a97f ac00-d7ff ffa0-ffdc",
    "arabic": "600-6ff 750-77f 870-8ff fb50-fdff fe70-fefe 10ec0-10eff 1ee00-1eeff",
    "hebrew": "590-5ff fb1d-fb4f",
    "devanagari": "900-97f a8e0-a8ff 11b00-11b09",
    "thai": "e00-e7f",
}
"""Hexadecimal ranges, Unicode 16; what is no letter in them does not count."""

SCRIPTS = (*_RANGES, "other")
"""The scripts that are told apart; `other` is every other one, mathematical letters included."""

VERSION = 1

SIGNALS = (
    *(ratio(f"script_{name}", f"Share of the letters that are {name.capitalize()}.") for name in _RANGES),
    ratio("script_other", "Share of the letters that are of another script."),
    ratio("second_script_share", "Share of the letters in the second script; kana is Han here."),
    count("mixed_script_words", "Words with Cyrillic letters and Latin or Greek ones."),
)

_NO_LETTER, _MARK = 0, 255
_LATIN, _CYRILLIC, _GREEK, _HAN, _KANA = (1 + SCRIPTS.index(name) for name in list(_RANGES)[:5])
_HAS_LATIN, _HAS_CYRILLIC, _HAS_GREEK = 1 << _LATIN, 1 << _CYRILLIC, 1 << _GREEK
_SECOND, _MIXED = len(SCRIPTS), len(SCRIPTS) + 1
_SCRIPTS = len(SCRIPTS)

_FIRST_BIT, _LAST_BIT = np.uint64(0x80), np.uint64(0x80 << 56)


@lru_cache(maxsize=1)
def script_table() -> np.ndarray:
    """Each code point's script, as its place in `SCRIPTS` plus 1; 0 is no letter, 255 a mark: uint8."""
    classes = character_classes()
    table = np.where(classes & LETTER, len(SCRIPTS), _NO_LETTER).astype(np.uint8)
    for number, ranges in enumerate(_RANGES.values(), start=1):
        for item in ranges.split():
            first, _, last = item.partition("-")
            block = table[int(first, 16) : int(last or first, 16) + 1]
            block[block != _NO_LETTER] = number
    table[(classes & MARK) != 0] = _MARK
    table.setflags(write=False)
    return table


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(documents.data, documents.starts, documents.ends, script_table(), table)


FAMILY = Family("scripts", VERSION, SIGNALS, _measure)


@kernel
def _fill(data, starts, ends, scripts, table):
    for document in range(starts.size):
        _fill_row(data, starts[document], ends[document], scripts, table[document])


@kernel
def _fill_row(data, at, end, scripts, row):
    """Fills `row` with the signals above."""
    row[:] = 0
    word = 0  # Which of Latin, Cyrillic and Greek the word has in which `at` stands, as bits.
    mixed = np.int64(0)
    latin = np.int64(0)  # ASCII letters of whole blocks.
    while at < end:
        if data[at] < 0x80 and at + 8 <= end:
            block = load64(data, at)
            if not block & HIGH_BITS:
                letters = ascii_letters(block)
                latin += np.int64(((letters >> np.uint64(7)) * ONES) >> np.uint64(56))
                if letters & _FIRST_BIT:
                    word |= _HAS_LATIN
                if letters != HIGH_BITS:
                    mixed += _is_mixed(word)
                    word = _HAS_LATIN if letters & _LAST_BIT else 0
                at += 8
                continue
        script = scripts[decode(data, at, end)]
        at += width(data[at])
        if script == _MARK:
            continue
        if script == _NO_LETTER:
            mixed += _is_mixed(word)
            word = 0
        else:
            row[script - 1] += 1
            if script <= _GREEK:
                word |= 1 << script
    row[_LATIN - 1] += latin
    _to_shares(row)
    row[_MIXED] = mixed + _is_mixed(word)


@inline_kernel
def _is_mixed(word):
    """Whether the bits of a word have Cyrillic and another script."""
    return np.int64((word & _HAS_CYRILLIC != 0) and (word & (_HAS_LATIN | _HAS_GREEK) != 0))


@kernel
def _to_shares(row):
    """Turns counts of letters into shares, and adds the share of the second script."""
    letters = 0.0
    for index in range(_SCRIPTS):
        letters += row[index]
    if letters == 0:
        return
    first = second = 0.0
    for index in range(_SCRIPTS):
        row[index] /= letters
        share = row[index]
        if index + 1 == _KANA:
            continue
        if index + 1 == _HAN:
            share += row[_KANA - 1] / letters
        if share > first:
            first, second = share, first
        elif share > second:
            second = share
    row[_SECOND] = second

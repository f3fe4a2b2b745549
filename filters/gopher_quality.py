"""Signals of Gopher's quality rules, counted as datatrove does.

Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", arXiv
2112.11446, appendix A1.1.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache

import numpy as np

from filters.characters import LINE_BREAK, RUSSIAN_TERMINAL, class_before, decode, find_byte
from filters.documents import Documents
from filters.hashing import find_slot, hash_bytes
from filters.kernel import inline_kernel, kernel
from filters.lines import line_ends_between
from filters.signal import Family, count, ratio
from filters.words import HAS_LETTER, IS_WORD

SIGNALS = (
    count("non_symbol_words", "Words with a character that is not punctuation."),
    ratio("mean_word_length", "Mean characters of the words that are not punctuation."),
    ratio("hashes_per_word", "'#' per word."),
    ratio("ellipses_per_word", "'...' and '…' per word."),
    ratio("bullet_line_fraction", "Lines that start with '•' or '-'."),
    ratio("ellipsis_line_fraction", "Lines that end with '...' or '…'."),
    ratio("alpha_word_fraction", "Words with a letter."),
    count("stop_words_en", "Different English stop words: the be to of and that have with."),
    count("stop_words_ru", "Different Russian stop words, of FineWeb-2's 22."),
    ratio("bullet_line_fraction_ru", "Bullet lines that do not end a sentence: dialogue starts with a dash."),
)

ENGLISH_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's list."""
RUSSIAN_STOP_WORDS = tuple(
    "в и на с года по году из был к не от что за для его как а он также до после".split()
)
"""FineWeb-2's list (Penedo et al. 2025, arXiv 2506.20920, `configs/rus_Cyrl.yml`)."""

_SLOTS = 128
_RUSSIAN_BITS = 32


@lru_cache(maxsize=1)
def _stop_word_table() -> tuple[np.ndarray, np.ndarray]:
    """A hash table of the stop words: hashes and bits, both uint64; the Russian bits in the upper half."""
    keys = np.zeros(_SLOTS, dtype=np.uint64)
    bits = np.zeros(_SLOTS, dtype=np.uint64)
    for words, shift in ((ENGLISH_STOP_WORDS, 0), (RUSSIAN_STOP_WORDS, _RUSSIAN_BITS)):
        for index, word in enumerate(words):
            data = np.frombuffer(word.encode(), dtype=np.uint8)
            key = np.uint64(hash_bytes(data, 0, len(data)))
            slot = find_slot(keys, _SLOTS - 1, key)
            keys[slot] = key
            bits[slot] = 1 << (shift + index)
    return keys, bits


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(
        documents.data,
        documents.starts,
        documents.ends,
        documents.classes,
        *documents.words,
        *_stop_word_table(),
        table,
    )


FAMILY = Family(SIGNALS, _measure)


@kernel
def _fill(data, starts, ends, classes, words, first, stop_keys, stop_bits, table):
    for document in range(starts.size):
        found = words[first[document] : first[document + 1]]
        _fill_row(
            data, starts[document], ends[document], classes, found, stop_keys, stop_bits, table[document]
        )


@kernel
def _fill_row(data, begin, end, classes, words, stop_keys, stop_bits, row):
    """Fills `row` with the signals above."""
    non_symbol = non_symbol_characters = alpha = 0
    lines = bullets = spoken = ellipsis_ends = 0
    is_bullet = False
    stop_words = np.uint64(0)
    previous = begin
    for index in range(words.size):
        word = words[index]
        start = begin + word.start
        if index == 0 or (start > previous and (start > previous + 1 or data[previous] != ord(" "))):
            ended = line_ends_between(data, previous, start, classes)
            lines += ended
            if index == 0 or ended:
                spoken += is_bullet and _ends_sentence(data, begin, previous, classes)
                is_bullet = data[start] == ord("-") or decode(data, start, end) == ord("•")
                bullets += is_bullet
                ellipsis_ends += _ends_with_ellipsis(data, begin, previous)
        previous = begin + word.end
        is_word = word.kind & IS_WORD
        non_symbol += is_word
        non_symbol_characters += word.length * is_word
        alpha += word.kind & HAS_LETTER != 0
        stop_words |= stop_bits[find_slot(stop_keys, _SLOTS - 1, word.hash)]
    spoken += is_bullet and _ends_sentence(data, begin, previous, classes)
    ellipsis_ends += _ends_with_ellipsis(data, begin, previous)
    lines += line_ends_between(data, previous, end, classes)
    lines += begin < end and class_before(data, end, begin, classes) & LINE_BREAK == 0
    hashes, ellipses = _count_symbols(data, begin, end)
    row[0] = non_symbol
    row[1] = non_symbol_characters / max(non_symbol, 1)
    row[2] = hashes / max(words.size, 1)
    row[3] = ellipses / max(words.size, 1)
    row[4] = bullets / max(lines, 1)
    row[5] = ellipsis_ends / max(lines, 1)
    row[6] = alpha / max(words.size, 1)
    row[7] = _bits_set(stop_words & np.uint64(0xFFFFFFFF))
    row[8] = _bits_set(stop_words >> np.uint64(_RUSSIAN_BITS))
    row[9] = (bullets - spoken) / max(lines, 1)


@kernel
def _count_symbols(data, begin, end):
    """Occurrences of `#`, and of `...` (not overlapping) and `…`."""
    hashes = ellipses = 0
    for at in range(begin, end):
        hashes += data[at] == ord("#")
    at = find_byte(data, begin, end, ord("."))
    while at < end:
        after = at
        while after < end and data[after] == ord("."):
            after += 1
        ellipses += (after - at) // 3
        at = find_byte(data, after, end, ord("."))
    at = find_byte(data, begin, end, 0xE2)
    while at < end:
        ellipses += _is_ellipsis(data, at, end)
        at = find_byte(data, at + 1, end, 0xE2)
    return hashes, ellipses


@inline_kernel
def _is_ellipsis(data, at, end):
    return at + 3 <= end and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA6


@kernel
def _ends_with_ellipsis(data, begin, stop):
    if stop - begin < 3:
        return False
    stops = data[stop - 1] == ord(".") and data[stop - 2] == ord(".") and data[stop - 3] == ord(".")
    return stops or _is_ellipsis(data, stop - 3, stop)


@kernel
def _ends_sentence(data, begin, stop, classes):
    """Whether what ends at `stop` is a Russian sentence, and no item of a list."""
    if stop == begin or data[stop - 1] == ord(":") or data[stop - 1] == ord(";"):
        return False
    return class_before(data, stop, begin, classes) & RUSSIAN_TERMINAL != 0


@kernel
def _bits_set(bits):
    found = 0
    while bits:
        bits &= bits - np.uint64(1)
        found += 1
    return found

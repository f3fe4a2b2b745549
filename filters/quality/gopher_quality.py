"""Signals of Gopher's quality rules, counted as datatrove does.

Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", arXiv
2112.11446, appendix A1.1.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache

import numpy as np

from filters.quality.documents import Documents
from filters.quality.signal import Family, count, ratio
from filters.text.characters import RUSSIAN_TERMINAL, class_before, count_byte, decode, find_byte, skip_space
from filters.text.hashing import hash_bytes
from filters.text.kernel import inline_kernel, kernel
from filters.text.lines import line_end, strip_right
from filters.text.vectors import count_ones
from filters.text.word_record import HAS_LETTER, IS_WORD

VERSION = 1

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

_RUSSIAN_BITS = 32


_STOP_WORD = np.dtype([("hash", np.uint64), ("bit", np.uint64)])


@lru_cache(maxsize=1)
def _stop_word_table() -> np.ndarray:
    """The stop words, `_STOP_WORD`, each at its hash modulo the size; the Russian bits in the upper half."""
    bits: dict[int, int] = {}
    for words, shift in ((ENGLISH_STOP_WORDS, 0), (RUSSIAN_STOP_WORDS, _RUSSIAN_BITS)):
        for index, word in enumerate(words):
            data = np.frombuffer(word.encode(), dtype=np.uint8)
            bits[int(hash_bytes(data, 0, len(data)))] = 1 << (shift + index)
    size = 64
    while len({key % size for key in bits}) < len(bits):
        size *= 2
    table = np.zeros(size, dtype=_STOP_WORD)
    for key, bit in bits.items():
        table[key % size] = key, bit
    return table


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(
        documents.data,
        documents.starts,
        documents.ends,
        documents.classes,
        *documents.words,
        _stop_word_table(),
        table,
    )


FAMILY = Family("gopher_quality", VERSION, SIGNALS, _measure)


@kernel
def _fill(data, starts, ends, classes, words, first, stop_words, table):
    for document in range(starts.size):
        found = words[first[document] : first[document + 1]]
        _fill_row(data, starts[document], ends[document], classes, found, stop_words, table[document])


@kernel
def _fill_row(data, begin, end, classes, words, stop_words, row):
    """Fills `row` with the signals above."""
    non_symbol = non_symbol_characters = alpha = 0
    found = np.uint64(0)
    for index in range(words.size):
        word = words[index]
        is_word = word.kind & IS_WORD
        non_symbol += is_word
        non_symbol_characters += word.length * is_word
        alpha += word.kind & HAS_LETTER != 0
        entry = stop_words[np.int64(word.hash & np.uint64(stop_words.size - 1))]
        found |= entry.bit if entry.hash == word.hash else np.uint64(0)
    lines, bullets, spoken, ellipsis_ends = _count_lines(data, begin, end, classes)
    hashes, ellipses = _count_symbols(data, begin, end)
    row[0] = non_symbol
    row[1] = non_symbol_characters / max(non_symbol, 1)
    row[2] = hashes / max(words.size, 1)
    row[3] = ellipses / max(words.size, 1)
    row[4] = bullets / max(lines, 1)
    row[5] = ellipsis_ends / max(lines, 1)
    row[6] = alpha / max(words.size, 1)
    row[7] = count_ones(found & np.uint64(0xFFFFFFFF))
    row[8] = count_ones(found >> np.uint64(_RUSSIAN_BITS))
    row[9] = (bullets - spoken) / max(lines, 1)


@kernel
def _count_lines(data, begin, end, classes):
    """Lines by `str.splitlines`; those with a bullet, of these sentences; those that end with an ellipsis."""
    lines = bullets = spoken = ellipsis_ends = 0
    at = begin
    while at < end:
        stop, after = line_end(data, at, end, classes)
        lines += 1
        low = skip_space(data, at, stop, classes)
        if low < stop:
            high = strip_right(data, low, stop, classes)
            ellipsis_ends += _ends_with_ellipsis(data, low, high)
            if data[low] == ord("-") or decode(data, low, stop) == ord("•"):
                bullets += 1
                spoken += _ends_sentence(data, low, high, classes)
        at = after
    return lines, bullets, spoken, ellipsis_ends


@kernel
def _count_symbols(data, begin, end):
    """Occurrences of `#`, and of `...` (not overlapping) and `…`."""
    hashes = count_byte(data, begin, end, ord("#"))
    ellipses = 0
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
    if data[stop - 1] == ord(":") or data[stop - 1] == ord(";"):
        return False
    return class_before(data, stop, begin, classes) & RUSSIAN_TERMINAL != 0

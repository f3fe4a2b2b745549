"""Signals of Gopher's quality rules (Rae et al. 2021, arXiv 2112.11446, appendix A1.1), counted as datatrove does."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache

import numpy as np

from filters.characters import LETTER, SYMBOL, count_characters, decode, step
from filters.hashing import find_slot, hash_bytes
from filters.kernel import inline_kernel, kernel
from filters.layout import line_ends_between
from filters.signal import count, ratio

SIGNALS = (
    count("non_symbol_words", "Words with a character that is not punctuation."),
    ratio("mean_word_length", "Mean characters of the words that are not punctuation."),
    ratio("hashes_per_word", "'#' per word."),
    ratio("ellipses_per_word", "'...' and '…' per word."),
    ratio("bullet_line_fraction", "Lines that start with '•' or '-'."),
    ratio("ellipsis_line_fraction", "Lines that end with '...' or '…'."),
    ratio("alpha_word_fraction", "Words with a letter."),
    count("stop_words_en", "Different English stop words: the be to of and that have with."),
    count("stop_words_ru", "Different Russian stop words: и в не на я что с по."),
)

ENGLISH_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's list."""
RUSSIAN_STOP_WORDS = ("и", "в", "не", "на", "я", "что", "с", "по")
"""The eight most frequent words of Russian (Lyashevskaya, Sharov 2009)."""

_SLOTS = 64


@lru_cache(maxsize=1)
def stop_word_table() -> tuple[np.ndarray, np.ndarray]:
    """A hash table of the stop words: keys (uint64), and the bit of each word (uint32), English in the low half."""
    keys = np.zeros(_SLOTS, dtype=np.uint64)
    bits = np.zeros(_SLOTS, dtype=np.uint32)
    for words, shift in ((ENGLISH_STOP_WORDS, 0), (RUSSIAN_STOP_WORDS, 16)):
        for index, word in enumerate(words):
            data = np.frombuffer(word.encode(), dtype=np.uint8)
            key = np.uint64(hash_bytes(data, 0, len(data)))
            slot = find_slot(keys, _SLOTS - 1, key)
            keys[slot] = key
            bits[slot] = 1 << (shift + index)
    return keys, bits


@kernel
def gopher_quality(data, begin, end, classes, words, count, lines, stop_keys, stop_bits, row):
    """Fills `row` with the signals above and `words.lengths` with the characters of each word."""
    non_symbol = non_symbol_characters = alpha = 0
    stop_words = np.uint32(0)
    for index in range(count):
        start = begin + words.starts[index]
        stop = begin + words.ends[index]
        length = count_characters(data, start, stop)
        words.lengths[index] = length
        is_word, is_alpha = _has_word_and_letter(data, start, stop, classes)
        non_symbol += is_word
        non_symbol_characters += length * is_word
        alpha += is_alpha
        stop_words |= stop_bits[find_slot(stop_keys, _SLOTS - 1, words.hashes[index])]
    hashes, ellipses = _count_symbols(data, begin, end)
    bullet_lines, ellipsis_lines = _count_marked_lines(data, begin, end, classes, words, count)
    row[0] = non_symbol
    row[1] = non_symbol_characters / max(non_symbol, 1)
    row[2] = hashes / max(count, 1)
    row[3] = ellipses / max(count, 1)
    row[4] = bullet_lines / max(lines, 1)
    row[5] = ellipsis_lines / max(lines, 1)
    row[6] = alpha / max(count, 1)
    row[7] = _bits_set(stop_words & np.uint32(0xFFFF))
    row[8] = _bits_set(stop_words >> np.uint32(16))


@kernel
def _has_word_and_letter(data, start, stop, classes):
    """Whether a character of the word is no symbol, and whether one is a letter."""
    is_word = False
    at = start
    while at < stop:
        kind = classes[decode(data, at, stop)]
        is_word |= kind & SYMBOL == 0
        if kind & LETTER:
            return is_word, True
        at = step(data, at, stop)
    return is_word, False


@kernel
def _count_symbols(data, begin, end):
    """Occurrences of `#`, and of `...` (not overlapping) and `…`."""
    hashes = ellipses = stops = 0
    for at in range(begin, end):
        lead = data[at]
        if lead == ord("."):
            stops += 1
            if stops == 3:
                ellipses += 1
                stops = 0
            continue
        stops = 0
        if lead == ord("#"):
            hashes += 1
        elif lead == 0xE2 and _is_ellipsis(data, at, end):
            ellipses += 1
    return hashes, ellipses


@inline_kernel
def _is_ellipsis(data, at, end):
    return at + 3 <= end and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA6


@kernel
def _count_marked_lines(data, begin, end, classes, words, count):
    """Lines whose first word starts with a bullet, and lines whose last word ends with an ellipsis."""
    bullets = ellipses = 0
    for index in range(count):
        start = begin + words.starts[index]
        previous = begin + words.ends[index - 1] if index else begin
        if index and (start == previous or (start == previous + 1 and data[previous] == ord(" "))):
            continue
        if index == 0 or line_ends_between(data, previous, start, classes):
            bullets += data[start] == ord("-") or decode(data, start, end) == ord("•")
            if index:
                ellipses += _ends_with_ellipsis(data, begin, previous)
    if count:
        ellipses += _ends_with_ellipsis(data, begin, begin + words.ends[count - 1])
    return bullets, ellipses


@kernel
def _ends_with_ellipsis(data, begin, stop):
    if stop - begin < 3:
        return False
    stops = data[stop - 1] == ord(".") and data[stop - 2] == ord(".") and data[stop - 3] == ord(".")
    return stops or _is_ellipsis(data, stop - 3, stop)


@kernel
def _bits_set(bits):
    found = 0
    while bits:
        bits &= bits - np.uint32(1)
        found += 1
    return found

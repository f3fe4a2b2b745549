"""Words of documents, by one of two definitions.

`unicode`: punctuation splits off, contractions split up. A run of characters without white space is taken
apart by the rules of spaCy's English tokenizer, which datatrove counts words with; see `affixes`.

`whitespace`: a run without white space is a word, as in the Gopher paper.

A word is written as its byte range, relative to the start of the document, and its hash. No word contains
white space and none is empty: there are at most as many words as bytes. Most runs are letters alone, and most
others were met before: how they were taken apart is remembered.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from filters.text.affixes import plain_letters, take_apart, unit_hashes
from filters.text.characters import SPACE, character_classes, character_starts, class_at, step
from filters.text.hashing import hash_bytes
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_within, count_ones, low_bits, trailing_zeros
from filters.text.word_exceptions import ExceptionTable, exception_table, may_be_exception
from filters.text.word_record import HAS_LETTER, IS_WORD, WORD, put_word, write_word

WordDefinition = Literal["unicode", "whitespace"]
WORD_DEFINITIONS: tuple[WordDefinition, ...] = get_args(WordDefinition)

_REMEMBERED = 1 << 13
"""Runs that are remembered."""
_PLACES = 6
"""Entries of a remembered run: its hash and number of words, then the words."""


class WordTables(NamedTuple):
    """Lookup tables of `find_words`."""

    classes: np.ndarray
    """Class bits of each code point: uint32."""
    exceptions: ExceptionTable
    units: np.ndarray
    """Sorted hashes of the units of measure: uint64."""


@lru_cache(maxsize=1)
def word_tables() -> WordTables:
    """The lookup tables of `find_words`."""
    return WordTables(character_classes(), exception_table(), unit_hashes())


class WordSpace(NamedTuple):
    """Room that `find_words` uses for one batch of documents after another, by one definition of a word."""

    words: np.ndarray
    """The words of a batch: `WORD`, one a byte."""
    memory: np.ndarray
    """How runs were taken apart before: `WORD`."""


def word_space(size: int) -> WordSpace:
    """Room for batches of up to `size` bytes."""
    return WordSpace(np.empty(size, dtype=WORD), np.zeros(_REMEMBERED * _PLACES, dtype=WORD))


_spaces = bytes_within((9, 13), (28, 32))
_rarer_space_starts = bytes_within((0xC2, 0xC2), (0xE1, 0xE3))
"""Bytes that the white space outside ASCII starts with."""


@kernel
def find_words(data, starts, ends, tables, whitespace, words, memory, first):
    """Writes the words of each document by the definition `whitespace`, or else `unicode`, end to end.

    `first` (int64, one more than there are documents) becomes where in `words` those of each document begin.
    White space is one bit a byte, for 64 bytes at once; runs start and end where neighbouring bits differ.
    """
    first[0] = count = 0
    for document in range(starts.size):
        begin, end = starts[document], ends[document]
        start = -1
        before = np.uint64(1)
        spilled = np.uint64(0)
        for block in range(begin, end + 1, WIDTH):
            spaces, spilled = _space_bits(data, block, end, tables.classes, spilled)
            edges = spaces ^ (spaces << np.uint64(1) | before)
            before = spaces >> np.uint64(WIDTH - 1)
            while edges:
                at = block + trailing_zeros(edges)
                edges &= edges - np.uint64(1)
                if start < 0:
                    start = at
                else:
                    count = _write_run(data, start, at, tables, memory, whitespace, begin, words, count)
                    start = -1
        first[document + 1] = count


@inline_kernel
def _space_bits(data, at, end, classes, spilled):
    """Which of the 64 bytes from `at` on are white space or behind the end; and the next ones known."""
    if at + WIDTH > data.size:
        return _space_bits_at_the_end(data, at, end, classes, spilled)
    spaces = _spaces(data, at) | ~low_bits(end - at) | spilled
    spilled = np.uint64(0)
    candidates = _rarer_space_starts(data, at) & ~spaces
    while candidates:
        bit = trailing_zeros(candidates)
        candidates &= candidates - np.uint64(1)
        if class_at(data, at + bit, end, classes) & SPACE:
            size = step(data, at + bit, end) - at - bit
            spaces |= low_bits(size) << np.uint64(bit)
            spilled = low_bits(max(bit + size - WIDTH, 0))
    return spaces, spilled


@kernel
def _space_bits_at_the_end(data, at, end, classes, spilled):
    """The same where `data` has fewer than 64 bytes left."""
    spaces = ~low_bits(end - at) | spilled
    position = at
    while position < end:
        after = step(data, position, end)
        if class_at(data, position, end, classes) & SPACE:
            spaces |= low_bits(after - position) << np.uint64(position - at)
        position = after
    return spaces, np.uint64(0)


@inline_kernel
def _write_run(data, start, end, tables, memory, whitespace, base, words, count):
    """Writes the words of the run `data[start:end]`: a word of letters alone at once, others from memory."""
    key = hash_bytes(data, start, end)
    if start + WIDTH <= data.size and end - start <= WIDTH and not may_be_exception(key, tables.exceptions):
        bits = low_bits(end - start)
        if not ~plain_letters(data, start) & bits:
            length = count_ones(character_starts(data, start) & bits)
            return put_word(words, count, key, start - base, end - base, length, IS_WORD | HAS_LETTER)
    recalled = _recall(memory, key, start - base, words, count)
    if recalled >= 0:
        return recalled
    if whitespace:
        after = write_word(data, start, end, tables.classes, base, words, count)
    else:
        after = take_apart(data, start, end, key, tables, base, words, count)
    _remember(memory, key, start - base, words, count, after)
    return after


@inline_kernel
def _recall(memory, key, start, words, count):
    """Writes the words of a run taken apart before; returns the new number of words, -1 if it is new."""
    place = np.int64(key % np.uint64(_REMEMBERED)) * _PLACES
    if memory[place].hash != key:
        return -1
    for index in range(memory[place].length):
        word = words[count + index]
        known = memory[place + 1 + index]
        word.hash = known.hash
        word.start = start + known.start
        word.end = start + known.end
        word.length = known.length
        word.kind = known.kind
    return count + memory[place].length


@inline_kernel
def _remember(memory, key, start, words, first, count):
    """Keeps the words that the run at `start` was taken apart into, unless they are too many."""
    if count - first < _PLACES:
        place = np.int64(key % np.uint64(_REMEMBERED)) * _PLACES
        memory[place].hash = key
        memory[place].length = count - first
        for index in range(count - first):
            word = words[first + index]
            begin, end = word.start - start, word.end - start
            put_word(memory, place + 1 + index, word.hash, begin, end, word.length, word.kind)

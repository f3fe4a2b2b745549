"""Every quality signal of a batch of documents, in one pass over its text."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters import c4, fineweb, gopher_quality, gopher_repetition, layout
from filters.characters import start_of_character
from filters.hashing import ENTRY, slots_for
from filters.kernel import driver
from filters.lines import LINE, count_newlines, newline_lines
from filters.signal import Signal
from filters.texts import Texts, text_buffers
from filters.words import (
    WORD,
    WORD_DEFINITIONS,
    WordDefinition,
    unicode_words,
    whitespace_words,
    word_tables,
)

SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for family in (layout, gopher_quality, gopher_repetition, c4, fineweb)
    for signal in family.SIGNALS
}

_LONGEST_READ = 1 << 23
"""Bytes of a document that are read; what it needs in memory is at most about 75 times as much."""

_QUALITY = len(layout.SIGNALS)
_REPETITION = _QUALITY + len(gopher_quality.SIGNALS)
_C4 = _REPETITION + len(gopher_repetition.SIGNALS)
_FINEWEB = _C4 + len(c4.SIGNALS)

# Kernels cannot call through a module.
_gopher_quality = gopher_quality.gopher_quality
_gopher_repetition = gopher_repetition.gopher_repetition
_c4 = c4.c4
_fineweb = fineweb.fineweb


def compute_signals(texts: Texts, words: WordDefinition = "unicode") -> pa.Table:
    """The signals of each document: one row per text, one column per entry of `SIGNALS`, no nulls.

    A document of more than 8 MiB, some eight novels, is described by its first 8 MiB, so that memory is
    bounded whatever is in it; only the signal `bytes` counts all.

    Args:
        texts: A string or large_string column without nulls.
        words: The definition of a word, see `filters.words`.

    Raises:
        ValueError: A text is null or of 2 GiB or more, or the definition of a word is unknown.
    """
    if words not in WORD_DEFINITIONS:
        raise ValueError(f"Unknown word definition {words!r}. Use one of {', '.join(WORD_DEFINITIONS)}.")
    buffers = text_buffers(texts)
    table = np.zeros((len(buffers.offsets) - 1, len(SIGNALS)))
    stop_keys, stop_bits = gopher_quality.stop_word_table()
    _fill(buffers.data, buffers.offsets, word_tables(), words == "whitespace", stop_keys, stop_bits, table)
    columns = [
        pa.array(values).cast(signal.type) for signal, values in zip(SIGNALS.values(), table.T, strict=True)
    ]
    return pa.table(columns, names=list(SIGNALS))


class Scratch(NamedTuple):
    """Room for the words and lines of one document, and for counting what repeats among them."""

    words: np.ndarray
    """`WORD`, one a byte."""
    lines: np.ndarray
    """`LINE`, one more than there are newlines."""
    alive: np.ndarray
    """Positions where an n-gram may repeat: int32, one a word."""
    keys: np.ndarray
    """Hashes of the n-grams there: uint64."""
    slots: np.ndarray
    """Their slots in `table`: int32."""
    table: np.ndarray
    """Hash table of `ENTRY`."""


@driver
def _room(size, lines, words):
    return Scratch(
        np.empty(size, dtype=WORD),
        np.empty(lines, dtype=LINE),
        np.empty(words, dtype=np.int32),
        np.empty(words, dtype=np.uint64),
        np.empty(words, dtype=np.int32),
        np.empty(slots_for(max(words, lines)), dtype=ENTRY),
    )


@driver
def _fill(data, offsets, tables, whitespace, stop_keys, stop_bits, table):
    """Fills the rows of `table`, float64 of shape (documents, signals)."""
    classes = tables.classes
    scratch = _room(1 << 16, 1 << 12, 1 << 14)
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        row = table[document]
        row[0] = end - begin
        if end - begin > _LONGEST_READ:
            end = start_of_character(data, begin + _LONGEST_READ, begin)
        if end - begin > scratch.words.size:
            scratch = _room(end - begin, scratch.lines.size, scratch.alive.size)
        if whitespace:
            count, characters = whitespace_words(data, begin, end, tables, scratch.words)
        else:
            count, characters = unicode_words(data, begin, end, tables, scratch.words)
        newlines = count_newlines(data, begin, end)
        if count > scratch.alive.size or newlines >= scratch.lines.size:
            room = _room(0, max(scratch.lines.size, 2 * newlines + 2), max(scratch.alive.size, 2 * count))
            scratch = Scratch(scratch.words, room.lines, room.alive, room.keys, room.slots, room.table)
        words = scratch.words[:count]
        lines = scratch.lines[: newline_lines(data, begin, end, classes, scratch.lines)]
        row[1] = characters
        row[2] = count
        row[3] = _gopher_quality(
            data, begin, end, classes, words, stop_keys, stop_bits, row[_QUALITY:_REPETITION]
        )
        _gopher_repetition(data, begin, end, classes, characters, words, lines, scratch, row[_REPETITION:_C4])
        _c4(data, begin, end, classes, words, row[_C4:_FINEWEB])
        _fineweb(data, begin, classes, characters, words, lines, scratch, row[_FINEWEB:])

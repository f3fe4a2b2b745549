"""Every quality signal of a batch of documents, in one pass over its text."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters import c4, fineweb, gopher_quality, gopher_repetition, layout
from filters.characters import LINE_BREAK, class_before, count_characters
from filters.hashing import slots_for
from filters.kernel import driver, kernel
from filters.signal import Signal
from filters.texts import Texts, text_buffers
from filters.words import (
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

_QUALITY = len(layout.SIGNALS)
_REPETITION = _QUALITY + len(gopher_quality.SIGNALS)
_C4 = _REPETITION + len(gopher_repetition.SIGNALS)
_FINEWEB = _C4 + len(c4.SIGNALS)

# Kernels cannot call through a module.
_line_ends_between = layout.line_ends_between
_gopher_quality = gopher_quality.gopher_quality
_gopher_repetition = gopher_repetition.gopher_repetition
_c4 = c4.c4
_fineweb = fineweb.fineweb


def compute_signals(texts: Texts, words: WordDefinition = "unicode") -> pa.Table:
    """The signals of each document: one row per text, one column per entry of `SIGNALS`, no nulls.

    Args:
        texts: A string or large_string column without nulls.
        words: The definition of a word, see `filters.words`.

    Raises:
        ValueError: A text is null or of 2 GiB or more, or the definition of a word is unknown.
    """
    if words not in WORD_DEFINITIONS:
        raise ValueError(f"Unknown word definition {words!r}. Use one of {', '.join(WORD_DEFINITIONS)}.")
    buffers = text_buffers(texts)
    table = np.zeros((len(SIGNALS), len(buffers.offsets) - 1))
    stop_keys, stop_bits = gopher_quality.stop_word_table()
    _fill(buffers.data, buffers.offsets, word_tables(), words == "whitespace", stop_keys, stop_bits, table)
    columns = [
        pa.array(values).cast(signal.type) for signal, values in zip(SIGNALS.values(), table, strict=True)
    ]
    return pa.table(columns, names=list(SIGNALS))


class Words(NamedTuple):
    """The words of one document; room for as many as the longest document so far could have."""

    starts: np.ndarray
    """First byte, from the start of the document: int32."""
    ends: np.ndarray
    """Byte behind the last: int32."""
    hashes: np.ndarray
    """uint64, never 0."""
    lengths: np.ndarray
    """Characters: int32."""


class Scratch(NamedTuple):
    """Room for counting repeated lines and n-grams."""

    alive: np.ndarray
    """Positions where an n-gram may repeat: int32."""
    keys: np.ndarray
    """Hashes of the n-grams there: uint64."""
    slots: np.ndarray
    """Their slots in `table`: int32."""
    table: np.ndarray
    """Hash table: uint64 keys, 0 where empty."""
    counts: np.ndarray
    """Occurrences of each key of `table`: int32."""


@driver
def _room_for_words(size):
    return Words(
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.uint64),
        np.empty(size, dtype=np.int32),
    )


@driver
def _room_for_counting(words, parts):
    slots = slots_for(max(words, parts))
    return Scratch(
        np.empty(words, dtype=np.int32),
        np.empty(words, dtype=np.uint64),
        np.empty(words, dtype=np.int32),
        np.empty(slots, dtype=np.uint64),
        np.empty(slots, dtype=np.int32),
    )


@driver
def _fill(data, offsets, tables, whitespace, stop_keys, stop_bits, table):
    """Fills the columns of `table`, float64 of shape (signals, documents)."""
    classes = tables.classes
    row = np.zeros(table.shape[0])
    words = _room_for_words(1 << 16)
    scratch = _room_for_counting(1 << 16, 1 << 16)
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        if end - begin > words.starts.size:
            words = _room_for_words(2 * (end - begin))
        if whitespace:
            count = whitespace_words(data, begin, end, tables, words.starts, words.ends, words.hashes)
        else:
            count = unicode_words(data, begin, end, tables, words.starts, words.ends, words.hashes)
        newlines = 0
        for at in range(begin, end):
            newlines += data[at] == 10
        if max(count, newlines + 2) > scratch.alive.size:
            scratch = _room_for_counting(2 * count, 2 * max(count, newlines + 2))
        characters = count_characters(data, begin, end)
        lines = _count_lines(data, begin, end, classes, words, count)
        row[0] = end - begin
        row[1] = characters
        row[2] = count
        row[3] = lines
        _gopher_quality(
            data, begin, end, classes, words, count, lines, stop_keys, stop_bits, row[_QUALITY:_REPETITION]
        )
        _gopher_repetition(data, begin, end, classes, characters, words, count, scratch, row[_REPETITION:_C4])
        _c4(data, begin, end, classes, words, count, row[_C4:_FINEWEB])
        _fineweb(data, begin, end, classes, characters, count, scratch, row[_FINEWEB:])
        table[:, document] = row


@kernel
def _count_lines(data, begin, end, classes, words, count):
    """Lines as `str.splitlines` counts them. Line breaks are white space, so they stand between words only."""
    lines = 0
    previous = begin
    for index in range(count):
        start = begin + words.starts[index]
        if start > previous:
            lines += _line_ends_between(data, previous, start, classes)
        previous = begin + words.ends[index]
    lines += _line_ends_between(data, previous, end, classes)
    if begin < end and not class_before(data, end, begin, classes) & LINE_BREAK:
        lines += 1
    return lines

"""Signals of Gopher's repetition rules, counted as datatrove does.

Rae et al. 2021, arXiv 2112.11446, table A1. An n-gram can only repeat where the (n-1)-grams that begin and
end it repeat. So each length is counted only at the positions that survived the one before, and in ordinary
text these are few after the third.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.quality.documents import Documents, most_parts
from filters.quality.signal import Family, ratio
from filters.text.characters import count_characters, skip_space
from filters.text.hashing import ENTRY, clear, combine, find_entry, hash_bytes, mix, slots_for, was_seen
from filters.text.kernel import driver, inline_kernel, kernel
from filters.text.lines import strip_right

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)

_MOSTLY_UNIQUE = 3
"""Up to this length most n-grams of ordinary text that may repeat do not."""

VERSION = 1

SIGNALS = (
    ratio("dup_paragraph_fraction", "Paragraphs that occurred before in the document."),
    ratio("dup_paragraph_char_fraction", "Characters of such paragraphs, of all characters."),
    ratio("dup_line_fraction", "Lines that occurred before in the document."),
    ratio("dup_line_char_fraction", "Characters of such lines, of all characters."),
    *(
        ratio(f"top_{n}gram_char_fraction", f"Characters of the most frequent {n}-gram of words.")
        for n in TOP_NGRAMS
    ),
    *(
        ratio(f"dup_{n}gram_char_fraction", f"Characters of repeated {n}-grams of words.")
        for n in DUPLICATE_NGRAMS
    ),
)


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(
        documents.data,
        documents.starts,
        documents.ends,
        documents.classes,
        documents.characters,
        *documents.words,
        *documents.lines,
        table,
    )


FAMILY = Family("gopher_repetition", VERSION, SIGNALS, _measure)


class _Scratch(NamedTuple):
    """Room for counting what repeats among the words and lines of one document."""

    alive: np.ndarray
    """Positions where an n-gram may repeat: int32, one a word."""
    keys: np.ndarray
    """Hashes of the n-grams there: uint64."""
    slots: np.ndarray
    """Their slots in `table`: int32."""
    table: np.ndarray
    """Hash table of `ENTRY`."""
    marks: np.ndarray
    """Which hashes occurred, and which again: uint8."""


@driver
def _fill(data, starts, ends, classes, characters, words, first_word, lines, first_line, table):
    most_words, most_lines = most_parts(first_word), most_parts(first_line)
    scratch = _Scratch(
        np.empty(most_words, dtype=np.int32),
        np.empty(most_words, dtype=np.uint64),
        np.empty(most_words, dtype=np.int32),
        np.empty(slots_for(max(most_words, most_lines)), dtype=ENTRY),
        np.empty(2 * slots_for(most_words), dtype=np.uint8),
    )
    for document in range(starts.size):
        _fill_row(
            data,
            starts[document],
            ends[document],
            classes,
            characters[document],
            words[first_word[document] : first_word[document + 1]],
            lines[first_line[document] : first_line[document + 1]],
            scratch,
            table[document],
        )


@kernel
def _fill_row(data, begin, end, classes, characters, words, lines, scratch, row):
    """Fills `row` with the signals above."""
    row[:] = 0.0
    if characters == 0:
        return
    paragraphs, repeated, repeated_characters = _repeated_paragraphs(
        data, begin, end, classes, lines, scratch
    )
    row[0] = repeated / max(paragraphs, 1)
    row[1] = repeated_characters / characters
    parts, repeated, repeated_characters = _repeated_lines(lines, scratch)
    row[2] = repeated / parts
    row[3] = repeated_characters / characters
    _repeated_ngrams(words, scratch, row[4:])
    for index in range(4, row.size):
        row[index] /= characters


@kernel
def _repeated_lines(lines, scratch):
    """The lines of a text split at runs of newlines, those met before, and the characters of these.

    A text that starts or ends with a newline has an empty line there, as Python's `re.split` has it.
    """
    outer = 0
    if lines.size > 1:
        outer = (lines[0].length == 0) + (lines[lines.size - 1].length == 0)
    parts = outer
    repeated = outer // 2
    characters = 0
    table = scratch.table[: slots_for(lines.size)]
    clear(table)
    for index in range(lines.size):
        if lines[index].length:
            parts += 1
            if was_seen(table, lines[index].hash):
                repeated += 1
                characters += lines[index].length
    return max(parts, 1), repeated, characters


@kernel
def _repeated_paragraphs(data, begin, end, classes, lines, scratch):
    """The paragraphs of a stripped text, between empty lines; those met before; the characters of these."""
    low = skip_space(data, begin, end, classes) - begin
    high = strip_right(data, begin, end, classes) - begin
    table = scratch.table[: slots_for(lines.size)]
    clear(table)
    paragraphs = repeated = repeated_characters = 0
    key = np.uint64(0)
    characters = -1
    for index in range(lines.size + 1):
        inside = index < lines.size and lines[index].end > low and lines[index].start < high
        if inside and lines[index].length:
            line = lines[index]
            start, stop = max(line.start, low), min(line.end, high)
            whole = start == line.start and stop == line.end
            key = combine(key, line.hash if whole else hash_bytes(data, begin + start, begin + stop))
            characters += 1 + (line.length if whole else count_characters(data, begin + start, begin + stop))
        elif characters >= 0:
            paragraphs += 1
            if was_seen(table, mix(key) | np.uint64(1)):
                repeated += 1
                repeated_characters += characters
            key = np.uint64(0)
            characters = -1
    return paragraphs, repeated, repeated_characters


@kernel
def _repeated_ngrams(words, scratch, row):
    """Characters in the most frequent 2- to 4-gram, and in repeated 5- to 10-grams."""
    alive, keys, slots = scratch.alive, scratch.keys, scratch.slots
    live = max(words.size - 1, 0)
    for position in range(live):
        alive[position] = position
        keys[position] = combine(words[position].hash, words[position + 1].hash) | np.uint64(1)
    for n in range(2, 11):
        if n <= _MOSTLY_UNIQUE:
            live = _drop_unique(alive, keys, live, scratch.marks)
        table = scratch.table[: slots_for(live)]
        duplicated = _count(words, alive, keys, slots, table, live, n)
        if n >= DUPLICATE_NGRAMS[0]:
            row[n - 2] = duplicated
        elif words.size >= n:
            row[n - 2] = _top(words, alive, slots, table, live, n)
        live = _extend(words, alive, keys, slots, table, live, n)


@kernel
def _drop_unique(alive, keys, live, marks):
    """Drops most n-grams that occur once, without a branch; returns how many are left.

    Each n-gram marks one byte; where a byte was marked once, its n-gram is the only one.
    """
    mask = np.uint64(2 * slots_for(live) - 1)
    marks[: np.int64(mask) + 1] = 0
    for index in range(live):
        mark = np.int64(keys[index] >> np.uint64(8) & mask)
        marks[mark] = marks[mark] << 1 | 1
    kept = 0
    for index in range(live):
        alive[kept] = alive[index]
        keys[kept] = keys[index]
        kept += marks[np.int64(keys[index] >> np.uint64(8) & mask)] > 1
    return kept


@kernel
def _count(words, alive, keys, slots, table, live, n):
    """Counts the n-grams in the hash table; `slots` becomes the slot of each.

    Returns the characters of n-grams met before, left to right and without overlap.
    """
    clear(table)
    duplicated = 0
    free = 0
    for index in range(live):
        slot = find_entry(table, keys[index])
        slots[index] = slot
        entry = table[slot]
        entry.key = keys[index]
        entry.count += 1
        if n >= DUPLICATE_NGRAMS[0] and alive[index] >= free:
            if entry.seen:
                duplicated += _span(words, alive[index], n)
                free = alive[index] + n
            entry.seen = 1
    return duplicated


@kernel
def _extend(words, alive, keys, slots, table, live, n):
    """Turns neighbours among the repeated n-grams into the (n+1)-grams that may repeat; returns how many."""
    kept = 0
    repeats = live > 0 and table[slots[0]].count > 1
    for index in range(live - 1):
        position = alive[index]
        next_repeats = table[slots[index + 1]].count > 1
        alive[kept] = position
        keys[kept] = combine(keys[index], words[position + n].hash) | np.uint64(1)
        kept += repeats & next_repeats & (alive[index + 1] == position + 1)
        repeats = next_repeats
    return kept


@kernel
def _top(words, alive, slots, table, live, n):
    """Characters of all occurrences of the most frequent n-gram (the first if tied), spaces included."""
    position, most = 0, 1
    for index in range(live):
        if table[slots[index]].count > most:
            position, most = alive[index], table[slots[index]].count
    return (_span(words, position, n) + n - 1) * most


@inline_kernel
def _span(words, position, n):
    """Characters of the n words from `position` on."""
    total = 0
    for index in range(position, position + n):
        total += words[index].length
    return total

"""Signals of FineWeb's own rules, counted as datatrove does.

Penedo et al. 2024, "The FineWeb Datasets: Decanting the Web for the Finest Text Data at Scale", arXiv
2406.17557, section 3.6.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.quality.documents import Documents, most_parts
from filters.quality.signal import Family, ratio
from filters.text.characters import RUSSIAN_TERMINAL, TERMINAL, class_before
from filters.text.hashing import ENTRY, clear, slots_for, was_seen
from filters.text.kernel import driver, kernel

VERSION = 1

SIGNALS = (
    ratio("punctuated_line_fraction", "Lines that end with a terminal mark, of those that are not blank."),
    ratio("punctuated_line_fraction_ru", "The same with Russian closing quotes, ellipsis, colon, semicolon."),
    ratio("short_line_fraction", "Lines of at most 30 characters, of those that are not blank."),
    ratio("dup_nonblank_line_char_fraction", "Characters of lines met before, of all but newlines."),
    ratio("newlines_per_word", "Newlines per word."),
)

_SHORT_LINE = 30


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(documents.data, documents.starts, documents.classes, documents.characters, *documents.lines, table)
    words = np.diff(documents.words.first)
    table[:, 4] = (np.diff(documents.lines.first) - 1) / np.maximum(words, 1)


FAMILY = Family("fineweb", VERSION, SIGNALS, _measure)


@driver
def _fill(data, starts, classes, characters, lines, first, table):
    entries = np.empty(slots_for(most_parts(first)), dtype=ENTRY)
    for document in range(starts.size):
        found = lines[first[document] : first[document + 1]]
        _fill_row(data, starts[document], classes, characters[document], found, entries, table[document])


@kernel
def _fill_row(data, begin, classes, characters, lines, entries, row):
    """Fills `row` with the signals of lines."""
    table = entries[: slots_for(lines.size)]
    clear(table)
    full = punctuated = punctuated_russian = short = repeated_characters = 0
    for index in range(lines.size):
        line = lines[index]
        if line.blank:
            continue
        full += 1
        last = class_before(data, begin + line.end, begin + line.start, classes)
        punctuated += last & TERMINAL != 0
        punctuated_russian += last & RUSSIAN_TERMINAL != 0
        short += line.length <= _SHORT_LINE
        if was_seen(table, line.hash):
            repeated_characters += line.length
    row[0] = punctuated / max(full, 1)
    row[1] = punctuated_russian / max(full, 1)
    row[2] = short / max(full, 1)
    row[3] = repeated_characters / max(characters - (lines.size - 1), 1)

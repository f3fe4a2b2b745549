"""Signals of C4's document rules. They suppose that C4's line rules ran before, see `filters.c4_lines`.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR
21, section 2.2.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.quality.documents import Documents
from filters.quality.signal import Family, count
from filters.text.ascii_search import find_phrase
from filters.text.characters import PUNCTUATION, TERMINAL, count_byte, decode, step
from filters.text.kernel import kernel
from filters.text.lines import line_ends_between
from filters.text.vectors import WIDTH, bytes_within, trailing_zeros
from filters.text.word_record import IS_PUNCTUATION, IS_TERMINAL

VERSION = 2

SIGNALS = (
    count(
        "sentences", "Sentences, line by line: a terminal mark, and a word that is not punctuation after it."
    ),
    count("lorem_ipsum", "Occurrences of 'lorem ipsum', in any case."),
    count("curly_brackets", "Occurrences of '{'."),
)


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(documents.data, documents.starts, documents.ends, documents.classes, *documents.words, table)


FAMILY = Family("c4", VERSION, SIGNALS, _measure)

_foreign_terminal_starts = bytes_within((0xD6, 0xDF), (0xE0, 0xF4))
"""Bytes that terminal marks beyond ASCII start with."""


@kernel
def _fill(data, starts, ends, classes, words, first, table):
    for document in range(starts.size):
        found = words[first[document] : first[document + 1]]
        _fill_row(data, starts[document], ends[document], classes, found, table[document])


@kernel
def _fill_row(data, begin, end, classes, words, row):
    """Fills `row` with the signals above."""
    row[0] = _sentences(data, begin, end, classes, words)
    row[1] = _lorem_ipsum(data, begin, end)
    row[2] = count_byte(data, begin, end, ord("{"))


@kernel
def _sentences(data, begin, end, classes, words):
    """Sentences by the rules of spaCy's sentencizer, applied to each line on its own.

    After a terminal mark, the next word that is not punctuation starts a sentence, and so does white space
    wider than one space. In scripts without spaces sentences end inside of what counts as a word.
    """
    sentences = int(words.size > 0)
    mark = begin
    seen_terminal = 0
    previous = begin + words[0].start if words.size else begin
    for index in range(words.size):
        word = words[index]
        start = begin + word.start
        wide = start > previous and (start > previous + 1 or data[previous] != ord(" "))
        if wide and (seen_terminal or line_ends_between(data, previous, start, classes)):
            sentences += 1
            seen_terminal = 0
        previous = begin + word.end
        if word.kind & IS_TERMINAL:
            seen_terminal = 1
        elif not word.kind & IS_PUNCTUATION:
            sentences += seen_terminal
            seen_terminal = 0
            mark = _find_foreign_terminal(data, max(mark, start), end, classes)
            if mark < previous:
                sentences += _sentences_inside(data, mark, previous, classes)
    return sentences


@kernel
def _find_foreign_terminal(data, at, end, classes):
    """The position of the first terminal mark beyond ASCII; else `end`."""
    while at < end:
        if at + WIDTH <= data.size:
            candidates = _foreign_terminal_starts(data, at)
            at = min(at + trailing_zeros(candidates), end)
            if not candidates:
                continue
        if data[at] >= 0x80 and classes[decode(data, at, end)] & TERMINAL:
            return at
        at = step(data, at, end)
    return end


@kernel
def _sentences_inside(data, at, end, classes):
    """Sentences that start behind terminal marks beyond ASCII in a word without spaces."""
    sentences = seen_terminal = 0
    while at < end:
        kind = classes[decode(data, at, end)]
        if data[at] >= 0x80 and kind & TERMINAL:
            seen_terminal = 1
        elif not kind & PUNCTUATION:
            sentences += seen_terminal
            seen_terminal = 0
        at = step(data, at, end)
    return sentences


@kernel
def _lorem_ipsum(data, begin, end):
    found = -1
    at = begin - 1
    while at < end:
        found += 1
        at = find_phrase(data, at + 1, end, b"lorem ipsum")
    return found

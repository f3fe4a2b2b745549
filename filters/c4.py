"""Signals of C4's document rules. They suppose that C4's line rules ran before, see `filters.c4_lines`.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR
21, section 2.2.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.ascii_search import starts_with
from filters.characters import PUNCTUATION, TERMINAL, decode, step
from filters.documents import Documents
from filters.kernel import kernel
from filters.lines import line_ends_between
from filters.signal import Family, count
from filters.words import HAS_LETTER

SIGNALS = (
    count(
        "sentences", "Sentences, line by line: a terminal mark, and a word that is not punctuation after it."
    ),
    count("lorem_ipsum", "Occurrences of 'lorem ipsum', in any case."),
    count("curly_brackets", "Occurrences of '{'."),
)


def _measure(documents: Documents, table: np.ndarray) -> None:
    _fill(documents.data, documents.starts, documents.ends, documents.classes, *documents.words, table)


FAMILY = Family(SIGNALS, _measure)


@kernel
def _fill(data, starts, ends, classes, words, first, table):
    for document in range(starts.size):
        found = words[first[document] : first[document + 1]]
        _fill_row(data, starts[document], ends[document], classes, found, table[document])


@kernel
def _fill_row(data, begin, end, classes, words, row):
    """Fills `row` with the signals above."""
    row[0], row[1] = _sentences_and_lorem_ipsum(data, begin, end, classes, words)
    brackets = 0
    for at in range(begin, end):
        brackets += data[at] == ord("{")
    row[2] = brackets


@kernel
def _sentences_and_lorem_ipsum(data, begin, end, classes, words):
    """Sentences by the rules of spaCy's sentencizer, applied to each line on its own; and "lorem ipsum".

    After a terminal mark, the next word that is not punctuation starts a sentence, and so does white space
    wider than one space.
    """
    sentences = int(words.size > 0)
    lorem_ipsum = 0
    seen_terminal = False
    previous = begin
    for index in range(words.size):
        word = words[index]
        start, stop = begin + word.start, begin + word.end
        if index and start > previous:
            if start == previous + 1 and data[previous] == ord(" "):
                if data[start] | 0x20 == ord("i") and data[previous - 1] | 0x20 == ord("m"):
                    lorem_ipsum += starts_with(data, max(begin, start - 6), end, b"lorem ipsum")
            elif seen_terminal or line_ends_between(data, previous, start, classes):
                sentences += 1
                seen_terminal = False
        previous = stop
        if word.kind & HAS_LETTER:
            sentences += seen_terminal
            seen_terminal = False
        elif word.length == 1 and classes[decode(data, start, stop)] & TERMINAL:
            seen_terminal = True
        elif seen_terminal and not _is_punctuation(data, start, stop, classes):
            sentences += 1
            seen_terminal = False
    return sentences, lorem_ipsum


@kernel
def _is_punctuation(data, start, stop, classes):
    at = start
    while at < stop:
        if not classes[decode(data, at, stop)] & PUNCTUATION:
            return False
        at = step(data, at, stop)
    return True

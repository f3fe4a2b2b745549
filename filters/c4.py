"""Signals of C4's document rules (Raffel et al. 2020, JMLR 21, section 2.2). They suppose that C4's line rules ran."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.characters import PUNCTUATION, TERMINAL, decode, step, width
from filters.kernel import kernel
from filters.layout import line_ends_between
from filters.signal import count

SIGNALS = (
    count(
        "sentences", "Sentences, line by line: a terminal mark, and a word that is not punctuation after it."
    ),
    count("lorem_ipsum", "Occurrences of 'lorem ipsum', in any case."),
    count("curly_brackets", "Occurrences of '{'."),
)


@kernel
def c4(data, begin, end, classes, words, count, row):
    """Fills `row` with the signals above."""
    row[0] = _sentences(data, begin, classes, words, count)
    row[1] = _lorem_ipsum(data, begin, end)
    brackets = 0
    for at in range(begin, end):
        brackets += data[at] == ord("{")
    row[2] = brackets


@kernel
def _sentences(data, begin, classes, words, count):
    """Sentences by the rules of spaCy's sentencizer, applied to each line on its own.

    After a terminal mark, the next word that is not punctuation starts a sentence, and so does white space
    wider than one space.
    """
    sentences = 0
    seen_terminal = False
    for index in range(count):
        start = begin + words.starts[index]
        stop = begin + words.ends[index]
        previous = begin + words.ends[index - 1] if index else start
        if index == 0:
            sentences = 1
        elif start > previous and not (start == previous + 1 and data[previous] == ord(" ")):
            if line_ends_between(data, previous, start, classes) or seen_terminal:
                sentences += 1
                seen_terminal = False
        if classes[decode(data, start, stop)] & TERMINAL and width(data[start]) == stop - start:
            seen_terminal = True
        elif seen_terminal and not _is_punctuation(data, start, stop, classes):
            sentences += 1
            seen_terminal = False
    return sentences


@kernel
def _is_punctuation(data, start, stop, classes):
    at = start
    while at < stop:
        if not classes[decode(data, at, stop)] & PUNCTUATION:
            return False
        at = step(data, at, stop)
    return True


@kernel
def _lorem_ipsum(data, begin, end):
    found = 0
    for at in range(begin, end - 10):
        if data[at] | 0x20 == ord("l") and starts_with(data, at, end, b"lorem ipsum"):
            found += 1
    return found


@kernel
def starts_with(data, at, end, phrase):
    """Whether `data[at:end]` starts with a phrase of lower-case ASCII letters and spaces, in any case."""
    if at + len(phrase) > end:
        return False
    for index in range(len(phrase)):
        if data[at + index] | 0x20 != phrase[index]:
            return False
    return True

"""What several families of signals need of a batch of documents: its words, its lines."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from filters.text.characters import character_classes, count_byte, count_characters, start_of_character
from filters.text.kernel import driver, kernel
from filters.text.lines import LINE, newline_lines
from filters.text.texts import Texts, text_buffers
from filters.text.words import WordDefinition, WordSpace, WordTables, find_words, word_space, word_tables

_LONGEST_READ = 1 << 23
"""Bytes of a document that are read; what it needs in memory is at most about 75 times as much."""

_BATCH = 1 << 18
"""Bytes of text after which a batch is full: what is found in it, words above all, then stays in cache."""


class Parts(NamedTuple):
    """Words or lines of documents, end to end: those of document `i` are `items[first[i]:first[i + 1]]`."""

    items: np.ndarray
    first: np.ndarray
    """int64, one more than there are documents."""


class Documents:
    """A batch of documents, `data[starts[i]:ends[i]]` each; what is found in them is found when first asked.

    Args:
        data: UTF-8 bytes: uint8.
        starts: First byte of each document: int64.
        ends: The byte behind the last that is read: int64.
        sizes: Bytes of each document, read or not: int64.
        definition: What a word is.
        space: Where words go; the next batch overwrites them.
    """

    def __init__(
        self,
        data: np.ndarray,
        starts: np.ndarray,
        ends: np.ndarray,
        sizes: np.ndarray,
        definition: WordDefinition,
        space: WordSpace,
    ) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends
        self.sizes = sizes
        self.definition = definition
        self.space = space

    @property
    def classes(self) -> np.ndarray:
        """Class bits of each code point, see `filters.characters`."""
        return character_classes()

    @property
    def tables(self) -> WordTables:
        """What the word kernels look up."""
        return word_tables()

    @cached_property
    def characters(self) -> np.ndarray:
        """Characters of each document: int64."""
        characters: np.ndarray = _characters(self.data, self.starts, self.ends)
        return characters

    @cached_property
    def words(self) -> Parts:
        """The words of each document: `WORD`."""
        whitespace = self.definition == "whitespace"
        first = np.empty(len(self.starts) + 1, dtype=np.int64)
        find_words(self.data, self.starts, self.ends, self.tables, whitespace, *self.space, first)
        return Parts(self.space.words, first)

    @cached_property
    def lines(self) -> Parts:
        """What stands between the newlines of each document: `LINE`."""
        return Parts(*_lines(self.data, self.starts, self.ends, self.classes))


def batches(texts: Texts, definition: WordDefinition) -> Iterator[tuple[slice, Documents]]:
    """A column's documents in batches, each with its rows.

    Of a document of more than 8 MiB, some eight novels, the first 8 MiB are read, so that memory is bounded
    whatever is in it.

    Raises:
        ValueError: A text is null or of 2 GiB or more.
    """
    data, offsets = text_buffers(texts)
    starts, ends = offsets[:-1], offsets[1:].copy()
    for row in np.flatnonzero(ends - starts > _LONGEST_READ):
        ends[row] = start_of_character(data, starts[row] + _LONGEST_READ, starts[row])
    firsts = [0]
    while firsts[-1] < len(starts):
        full = np.searchsorted(offsets, offsets[firsts[-1]] + _BATCH)
        firsts.append(max(firsts[-1] + 1, int(full)))
    firsts[-1] = len(starts)
    batches = [slice(first, after) for first, after in itertools.pairwise(firsts)]
    space = word_space(max((int((ends[rows] - starts[rows]).sum()) for rows in batches), default=0))
    sizes = np.diff(offsets)
    for rows in batches:
        yield rows, Documents(data, starts[rows], ends[rows], sizes[rows], definition, space)


@driver
def _characters(data, starts, ends):
    characters = np.empty(starts.size, dtype=np.int64)
    for document in range(starts.size):
        characters[document] = count_characters(data, starts[document], ends[document])
    return characters


@driver
def _lines(data, starts, ends, classes):
    count = starts.size
    for document in range(starts.size):
        count += count_byte(data, starts[document], ends[document], 10)
    lines = np.empty(count, dtype=LINE)
    first = np.zeros(starts.size + 1, dtype=np.int64)
    for document in range(starts.size):
        found = newline_lines(data, starts[document], ends[document], classes, lines[first[document] :])
        first[document + 1] = first[document] + found
    return lines, first


@kernel
def most_parts(first):
    """The most parts that one document has."""
    most = 0
    for document in range(first.size - 1):
        most = max(most, first[document + 1] - first[document])
    return most

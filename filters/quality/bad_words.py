"""Words and phrases that a user does not want: C4's rule, with the user's own list.

Raffel et al. 2020 (JMLR 21), section 2.2: pages with a word of the "List of Dirty, Naughty, Obscene or
Otherwise Bad Words" were removed. Matching follows the reference implementation (`c4_utils.py` of TensorFlow
Datasets) and datatrove's `C4BadWordsFilter`: lower case, between characters that belong to no word; anywhere
in languages that do not put spaces between words.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.quality.signal import count
from filters.text.characters import WORD, character_classes, decode, step
from filters.text.folding import lower_case
from filters.text.hashing import combine, find_slot, slots_for
from filters.text.kernel import inline_kernel, kernel
from filters.text.texts import Texts, text_buffers

VERSION = 1

SIGNAL = count("bad_words", "Places where a word or phrase of the list for the document's language begins.")

UNSPACED_LANGUAGES = frozenset({"ja", "th", "zh"})
"""Languages in which a word is found anywhere."""

_POINT_BITS = np.uint64(21)


class BadWords(NamedTuple):
    """A list of words as a tree: each edge is a character, and a path from the root spells a word."""

    keys: np.ndarray
    """Hash table of the edges: a number made of the upper node and the character, 0 where empty: uint64."""
    nodes: np.ndarray
    """The lower node of each edge, negative if a word ends there: int32."""
    begins: np.ndarray
    """Whether a word begins with a character, in either case: bool, shape (0x110000,)."""
    bounded: bool
    """Whether a word counts only between characters that belong to no word."""

    @classmethod
    def build(cls, words: Iterable[str], language: str | None = None) -> BadWords:
        """The tree of `words`: case does not matter, nor white space around them; empty ones are left out.

        Raises:
            ValueError: There is no word.
        """
        edges: dict[tuple[int, int], int] = {}
        ends: set[int] = set()
        for word in words:
            node = 0
            for character in word.strip().lower():
                node = edges.setdefault((node, ord(character)), len(edges) + 1)
            ends.add(node)
        if not edges:
            raise ValueError("There is no word in the list. Write one word or phrase a line.")
        keys = np.zeros(slots_for(len(edges)), dtype=np.uint64)
        nodes = np.zeros(len(keys), dtype=np.int32)
        for (upper, point), lower in edges.items():
            key = np.uint64(_edge(upper, point))
            slot = find_slot(keys, len(keys) - 1, key)
            keys[slot] = key
            nodes[slot] = -lower if lower in ends else lower
        first = [point for upper, point in edges if upper == 0]
        return cls(keys, nodes, np.isin(lower_case(), first), language not in UNSPACED_LANGUAGES)


@inline_kernel
def _edge(node, point):
    """The key of an edge, never 0: one to one for less than 2**43 nodes."""
    return combine((np.uint64(node + 1) << _POINT_BITS) | np.uint64(point), np.uint64(0))


def count_bad_words(texts: Texts, bad_words: BadWords) -> pa.Int64Array:
    """How many places of each text begin a word of the list; 0 exactly where C4's filter keeps the text.

    Raises:
        ValueError: A text is null or of 2 GiB or more.
    """
    buffers = text_buffers(texts)
    found = np.zeros(len(buffers.offsets) - 1, dtype=np.int64)
    _count(buffers.data, buffers.offsets, character_classes(), lower_case(), bad_words, found)
    return pa.array(found)


@kernel
def _count(data, offsets, classes, lower, bad_words, found):
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        at = begin
        starts = True
        while at < end:
            point = decode(data, at, end)
            if bad_words.begins[point] and (starts or not bad_words.bounded):
                found[document] += _begins_word(data, at, end, classes, lower, bad_words)
            starts = classes[point] & WORD == 0
            at = step(data, at, end)


@kernel
def _begins_word(data, at, end, classes, lower, bad_words):
    """Whether a word of the list begins at `at`."""
    node = np.int64(0)
    while at < end:
        key = _edge(node, lower[decode(data, at, end)])
        slot = find_slot(bad_words.keys, bad_words.keys.size - 1, key)
        if bad_words.keys[slot] == 0:
            return False
        node = np.int64(bad_words.nodes[slot])
        at = step(data, at, end)
        if node < 0:
            if not bad_words.bounded or at >= end or not classes[decode(data, at, end)] & WORD:
                return True
            node = -node
    return False

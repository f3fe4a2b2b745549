"""Common n-grams: seeds that documents of a source have without having the item, and what they take from it.

Boilerplate, statutes and phrases of a language stand in benchmarks too. How common a seed is depends on the
corpus, so it is counted there; documents that have the whole item do not count, else a benchmark that was
copied often would hide itself.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.contamination.index import LEAST_WEIGHT, Index, read_only_buffers
from filters.contamination.seeds import KEYS, SIZES, find_seeds, place_of, sequence_of
from filters.contamination.words import UNIT, find_words, word_tables
from filters.text.kernel import driver
from filters.text.texts import Texts

VERSION = 1

LEAST_DOCUMENTS = 20
"""A seed is common in so many documents,"""
LEAST_SHARE = 1e-4
"""and in such a share of them."""
_OF_THE_ITEM = 3
"""A document with a third of the seeds of a text has the text."""


def seed_documents(texts: Texts, index: Index) -> npt.NDArray[np.int32]:
    """How many documents have the seed at each word of the index, without having the text that it is from."""
    documents = np.zeros(len(index.words.units), dtype=np.int32)
    _count(*read_only_buffers(texts), word_tables(), index.words, documents)
    return documents


def common_seeds(documents: npt.NDArray[np.int32], whole: int) -> npt.NDArray[np.int64]:
    """The words of the index at which a common seed begins, by what was found in `whole` documents."""
    return np.flatnonzero(documents >= max(LEAST_DOCUMENTS, LEAST_SHARE * whole))


def without_common(index: Index, common: npt.NDArray[np.int64]) -> Index:
    """The index in which a word weighs as much as the share of its seeds that are not common."""
    if len(common) == 0:
        return index
    weights = np.array(index.words.weights)
    _damp(index.words, common, weights)
    weights.setflags(write=False)
    return index._replace(words=index.words._replace(weights=weights))


@driver
def _count(data, offsets, tables, sequences, documents):
    room = np.empty(1 << 16, dtype=UNIT)
    points = np.empty(64, dtype=np.uint32)
    seeds, keys = np.empty(1 << 12, dtype=np.uint64), np.empty((SIZES, KEYS), dtype=np.uint64)
    last = np.full(documents.size, -1, dtype=np.int32)
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        if end - begin > room.size:
            room = np.empty(2 * (end - begin), dtype=UNIT)
        units = room[: find_words(data, begin, end, tables, points, room)]
        number = find_seeds(units, sequences, keys, seeds)
        while number < 0:
            seeds = np.empty(2 * seeds.size, dtype=np.uint64)
            number = find_seeds(units, sequences, keys, seeds)
        seeds[:number].sort()
        begin = 0
        while begin < number:
            sequence = sequence_of(seeds[begin])
            end = begin
            while end < number and sequence_of(seeds[end]) == sequence:
                end += 1
            if _OF_THE_ITEM * (end - begin) < sequences.seeds[sequence] or end - begin == 1:
                for at in range(begin, end):
                    unit = sequences.first[sequence] + place_of(seeds[at])
                    documents[unit] += last[unit] != document
                    last[unit] = document
            begin = end


@driver
def _damp(sequences, common, weights):
    is_common = np.zeros(weights.size, dtype=np.bool_)
    is_common[common] = True
    for sequence in range(sequences.field.size):
        begin, end = sequences.first[sequence], sequences.first[sequence + 1]
        size = sequences.size[sequence]
        last = max(begin, end - size)
        for at in range(begin, end):
            seeds = found = 0
            for seed in range(max(begin, at - size + 1), min(at, last) + 1):
                seeds += 1
                found += is_common[seed]
            weights[at] = max(weights[at] * (seeds - found) / max(seeds, 1), LEAST_WEIGHT)

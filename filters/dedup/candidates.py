"""Candidate pairs: the documents that share a band, in time linear in the documents.

A pair is one number, its lower document number in the high and its higher one in the low 32 bits. So pairs
are sorted, merged and made distinct as numbers.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from filters.dedup.exact import likely_shared
from filters.dedup.minhash import NO_WORDS
from filters.text.kernel import kernel

VERSION = 1

WHOLE_BUCKET = 64
"""Buckets up to this size compare all pairs."""
HUBS = 32
"""In a larger bucket each document is compared with this many of the best,"""
NEIGHBOURS = 8
"""and with this many right before it."""
BUCKET_PAIRS = 1 << 22
"""A bucket that would make more pairs has fewer hubs and neighbours, down to one of each."""

_NUMBERS = 1 << 32
_NO_PAIR = np.uint64(0xFFFFFFFFFFFFFFFF)


class CandidatePairs(NamedTuple):
    """Pairs of documents that share a band."""

    pairs: np.ndarray
    """Distinct pairs, ascending: uint64."""
    bounded: int
    """Pairs of huge buckets that were not made."""


def ends(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the higher document number of each pair: int64."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(_NUMBERS - 1)).astype(np.int64)


def pairs_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The pairs of these document numbers: uint64."""
    low, high = np.minimum(a, b).astype(np.uint64), np.maximum(a, b).astype(np.uint64)
    packed: np.ndarray = low << np.uint64(32) | high
    return packed


def candidate_pairs(keys: np.ndarray, documents: np.ndarray, references: int = 0) -> CandidatePairs:
    """The pairs of documents with equal keys in one band.

    In a bucket of more than `WHOLE_BUCKET` documents, comparing all pairs would take quadratic time. There
    each document is compared with the `HUBS` best and the `NEIGHBOURS` before it, best first: then those who
    would survive are the ones compared with all. More documents never add a pair of two earlier ones.

    Args:
        keys: uint64, the key of each document in this band, best document first; `minhash.NO_WORDS` is never
            paired.
        documents: int64, their numbers, without repetition.
        references: So many of the first are only compared against: no two of them are paired, and the others
            are compared with the `HUBS` best of them and of their own.

    Raises:
        ValueError: A document number does not fit into 32 bits.
    """
    if len(documents) and int(documents.max()) >= _NUMBERS:
        raise ValueError(f"Documents are numbered below {_NUMBERS:,}. Deduplicate the corpus in pieces.")
    index = np.flatnonzero(likely_shared(keys) & (keys != NO_WORDS))
    index = index[np.argsort(keys[index], kind="stable")]
    sorted_keys = keys[index]
    bounds = np.flatnonzero(np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1], [True])))
    buckets = bounds if len(index) else np.zeros(1, np.int64)
    count, bounded = _count_pairs(buckets, index, references)
    pairs = np.empty(count, np.uint64)
    _make_pairs(buckets, index, references, documents.astype(np.uint64), pairs)
    pairs.sort()
    return CandidatePairs(pairs, int(bounded))


def merged(bands: Sequence[np.ndarray], run_size: int) -> Iterator[np.ndarray]:
    """The distinct pairs of all bands, ascending, in runs.

    Args:
        bands: The pairs of each band, ascending; they may be memory-mapped.
        run_size: About how many of their pairs a run is made of.
    """
    stride = 1 + run_size // 4096
    sample = np.sort(np.concatenate([np.empty(0, np.uint64), *(band[::stride] for band in bands)]))
    step = max(1, run_size // stride)
    limits = sample[step::step]
    cuts = [np.concatenate(([0], np.searchsorted(band, limits), [len(band)])) for band in bands]
    for run in range(len(limits) + 1):
        pieces = [band[cut[run] : cut[run + 1]] for band, cut in zip(bands, cuts, strict=True)]
        pairs = np.sort(np.concatenate([np.empty(0, np.uint64), *pieces]))
        yield pairs[np.diff(pairs, prepend=_NO_PAIR) != 0]


@kernel
def _partners(size):
    """With how many of the best of a bucket, and with how many right before it, a document is compared."""
    if size <= WHOLE_BUCKET:
        return size, 0
    share = min(1.0, BUCKET_PAIRS / size / (HUBS + NEIGHBOURS))
    return max(1, int(share * HUBS)), max(1, int(share * NEIGHBOURS))


@kernel
def _reference_count(index, begin, end, references):
    """How many documents of a bucket are references; they come first."""
    count = 0
    while begin + count < end and index[begin + count] < references:
        count += 1
    return count


@kernel
def _count_pairs(buckets, index, references):
    """The pairs that are made, and those that are not."""
    made = skipped = 0
    for bucket in range(buckets.size - 1):
        begin, end = buckets[bucket], buckets[bucket + 1]
        hubs, neighbours = _partners(end - begin)
        known = _reference_count(index, begin, end, references)
        for own in range(end - begin - known):
            partners = min(known, hubs) + min(own, hubs) + min(max(0, own - hubs), neighbours)
            made += partners
            skipped += known + own - partners
    return made, skipped


@kernel
def _make_pairs(buckets, index, references, documents, pairs):
    made = 0
    for bucket in range(buckets.size - 1):
        begin, end = buckets[bucket], buckets[bucket + 1]
        hubs, neighbours = _partners(end - begin)
        known = _reference_count(index, begin, end, references)
        first = begin + known
        for at in range(first, end):
            before = min(first + hubs, at)
            for other in range(begin, begin + min(known, hubs)):
                pairs[made] = _pair(documents, index, other, at)
                made += 1
            for other in range(first, before):
                pairs[made] = _pair(documents, index, other, at)
                made += 1
            for other in range(max(before, at - neighbours), at):
                pairs[made] = _pair(documents, index, other, at)
                made += 1


@kernel
def _pair(documents, index, first, second):
    x, y = documents[index[first]], documents[index[second]]
    return min(x, y) << np.uint64(32) | max(x, y)

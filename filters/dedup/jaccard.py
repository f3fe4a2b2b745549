"""The true Jaccard similarity of two documents: that of their sets of shingles."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.dedup.shingles import hash_shingles
from filters.text.folding import word_folding
from filters.text.kernel import driver
from filters.text.texts import Texts, text_buffers

VERSION = 1
"""Of the similarity: to be raised when that of some pair changes."""


def verified(a: np.ndarray, b: np.ndarray, texts: Texts, ngram: int) -> np.ndarray:
    """The Jaccard similarity of the shingle sets of each pair: float64; 0 where neither text has words.

    Args:
        a: Rows of `texts`.
        b: Rows of `texts`, one for each in `a`.
        texts: The documents. The shingle sets of those in a pair are held in memory, 8 bytes a shingle.
        ngram: Words in a shingle.
    """
    buffers = text_buffers(texts)
    rows, positions = np.unique(np.concatenate((a, b)).astype(np.int64), return_inverse=True)
    sets, bounds = _shingle_sets(buffers.data, buffers.offsets, rows, word_folding(), ngram)
    similarity: np.ndarray = _jaccard(positions[: len(a)], positions[len(a) :], sets, bounds)
    return similarity


def batches(a: np.ndarray, b: np.ndarray, sizes: np.ndarray, limit: int) -> np.ndarray:
    """Cuts pairs into runs whose documents have at most `limit` bytes, or are a single pair.

    Args:
        a: Documents.
        b: Documents, one for each in `a`.
        sizes: Bytes of each document.
        limit: Bytes of the different documents of a run.

    Returns:
        The first pair of each run, and the number of pairs: int64.
    """
    return np.append(_run_starts(a, b, sizes, limit), len(a))


@driver
def _run_starts(a, b, sizes, limit):
    starts = np.empty(a.size, dtype=np.int64)
    in_run = np.full(sizes.size, -1, dtype=np.int64)
    run, total = -1, 0
    for pair in range(a.size):
        new = (in_run[a[pair]] != run) * sizes[a[pair]] + (in_run[b[pair]] != run) * sizes[b[pair]]
        if run < 0 or total + new > limit:
            run, total = run + 1, 0
            starts[run] = pair
            new = sizes[a[pair]] + sizes[b[pair]]
        in_run[a[pair]] = in_run[b[pair]] = run
        total += new
    return starts[: run + 1]


@driver
def _shingle_sets(data, offsets, rows, folding, ngram):
    """The sorted shingle set of each row, end to end, and where each begins."""
    bounds = np.zeros(rows.size + 1, dtype=np.int64)
    size = 0
    for row in rows:
        size += offsets[row + 1] - offsets[row]
    room = np.empty(1 << 16, dtype=np.uint64)
    sorted_room = np.empty(room.size, dtype=np.uint64)
    ends = np.empty(1 << 16, dtype=np.int64)
    sets = np.empty(size // 4 + 1024, dtype=np.uint64)
    for index in range(rows.size):
        begin, end = offsets[rows[index]], offsets[rows[index] + 1]
        if end - begin > room.size:
            room = np.empty(2 * (end - begin), dtype=np.uint64)
            sorted_room = np.empty(room.size, dtype=np.uint64)
        count = hash_shingles(data, begin, end, folding, ngram, room)
        shingles = sorted_room[:count]
        _sort_hashes(room[:count], shingles, ends)
        at = bounds[index]
        if at + count > sets.size:
            larger = np.empty(2 * (at + count), dtype=np.uint64)
            larger[:at] = sets[:at]
            sets = larger
        for position in range(count):
            if position == 0 or shingles[position] != shingles[position - 1]:
                sets[at] = shingles[position]
                at += 1
        bounds[index + 1] = at
    return sets, bounds


@driver
def _sort_hashes(hashes, found, ends):
    """Sorts hashes into `found`: by their leading bits, each to its place, and what is left by insertion."""
    bits = 1
    while bits < 16 and 1 << bits < hashes.size:
        bits += 1
    shift = np.uint64(64 - bits)
    ends[: 1 << bits] = 0
    for key in hashes:
        ends[key >> shift] += 1
    total = largest = 0
    for bucket in range(1 << bits):
        largest = max(largest, ends[bucket])
        total += ends[bucket]
        ends[bucket] = total
    if largest > 64:
        found[:] = np.sort(hashes)
        return
    for key in hashes:
        ends[key >> shift] -= 1
        found[ends[key >> shift]] = key
    for index in range(1, found.size):
        key = found[index]
        at = index
        while at > 0 and found[at - 1] > key:
            found[at] = found[at - 1]
            at -= 1
        found[at] = key


@driver
def _jaccard(a, b, sets, bounds):
    similarity = np.zeros(a.size)
    for pair in range(a.size):
        i, i_end = bounds[a[pair]], bounds[a[pair] + 1]
        j, j_end = bounds[b[pair]], bounds[b[pair] + 1]
        total = (i_end - i) + (j_end - j)
        common = 0
        while i < i_end and j < j_end:
            x, y = sets[i], sets[j]
            common += x == y
            i += x <= y
            j += y <= x
        if total:
            similarity[pair] = common / (total - common)
    return similarity

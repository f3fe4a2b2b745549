"""Near-duplicates: candidate pairs from bands, their true similarity, and who survives.

Nothing is removed on the word of a hash: a candidate pair becomes an edge only when the Jaccard similarity of
its shingle sets has been computed, and a document is removed only in favour of a survivor that it has an edge
to.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.folding import word_folding
from filters.kernel import driver, kernel
from filters.minhash import NO_WORDS
from filters.shingles import hash_shingles
from filters.texts import Texts, text_buffers

WHOLE_BUCKET = 64
"""Buckets up to this size compare all pairs."""
HUBS = 32
"""In a larger bucket each document is compared with this many of the lowest document numbers,"""
NEIGHBOURS = 8
"""and with this many documents before it."""


class CandidatePairs(NamedTuple):
    """Pairs of documents that share a band."""

    a: np.ndarray
    """The lower document number of each pair: int64."""
    b: np.ndarray
    """The higher one."""
    bounded: int
    """Pairs of huge buckets that were not made."""


def candidate_pairs(keys: np.ndarray, documents: np.ndarray) -> CandidatePairs:
    """The pairs of documents with equal keys in one band, each pair once, ordered by (a, b).

    In a bucket of more than `WHOLE_BUCKET` documents, comparing all pairs would take quadratic time. There
    each document is compared with the `HUBS` lowest numbers and its `NEIGHBOURS` predecessors. So number the
    documents in the order in which they should survive: then those who would survive are the ones compared
    with all.

    Args:
        keys: uint64, the key of each document in this band; `minhash.NO_WORDS` is never paired.
        documents: int64, their numbers, without repetition.
    """
    order = np.lexsort((documents, keys))
    sorted_keys = keys[order]
    order = order[: np.searchsorted(sorted_keys, NO_WORDS)]
    sorted_keys = sorted_keys[: len(order)]
    starts = (
        np.flatnonzero(np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1]))) if len(order) else order
    )
    buckets = np.concatenate((starts, [len(order)])).astype(np.int64)
    numbers = documents[order].astype(np.int64)
    total, bounded = _count_pairs(buckets)
    a, b = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    _make_pairs(buckets, numbers, a, b)
    by_pair = np.lexsort((b, a))
    return CandidatePairs(a[by_pair], b[by_pair], int(bounded))


@kernel
def _partners(index, size):
    """With how many earlier documents of its bucket the one at `index` is compared: hubs, neighbours."""
    if size <= WHOLE_BUCKET:
        return index, 0
    hubs = min(index, HUBS)
    return hubs, min(index - hubs, NEIGHBOURS)


@kernel
def _count_pairs(buckets):
    """The pairs that are made, and those that are not."""
    made = skipped = 0
    for bucket in range(buckets.size - 1):
        size = buckets[bucket + 1] - buckets[bucket]
        for index in range(size):
            hubs, neighbours = _partners(index, size)
            made += hubs + neighbours
            skipped += index - hubs - neighbours
    return made, skipped


@kernel
def _make_pairs(buckets, numbers, a, b):
    made = 0
    for bucket in range(buckets.size - 1):
        first = buckets[bucket]
        size = buckets[bucket + 1] - first
        for index in range(size):
            hubs, neighbours = _partners(index, size)
            for partner in range(hubs + neighbours):
                other = partner if partner < hubs else index - 1 - (partner - hubs)
                a[made] = numbers[first + other]
                b[made] = numbers[first + index]
                made += 1


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


@driver
def _shingle_sets(data, offsets, rows, folding, ngram):
    """The sorted shingle set of each row, end to end, and where each begins."""
    bounds = np.zeros(rows.size + 1, dtype=np.int64)
    size = 0
    for row in rows:
        size += offsets[row + 1] - offsets[row]
    room = np.empty(1 << 16, dtype=np.uint64)
    sets = np.empty(size // 4 + 1024, dtype=np.uint64)
    for index in range(rows.size):
        begin, end = offsets[rows[index]], offsets[rows[index] + 1]
        if end - begin > room.size:
            room = np.empty(2 * (end - begin), dtype=np.uint64)
        count = hash_shingles(data, begin, end, folding, ngram, room)
        shingles = np.sort(room[:count])
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


class Survivors(NamedTuple):
    """The outcome for each document."""

    kept: np.ndarray
    """Whether it survives: bool. An ineligible document does not."""
    kept_doc: np.ndarray
    """The survivor it is a duplicate of, -1 if none: int64. That one is kept."""
    similarity: np.ndarray
    """True Jaccard similarity with that survivor, nan if none: float64."""
    method: pa.StringArray
    """"exact" or "minhash", null if it is no duplicate."""
    component: np.ndarray
    """Lowest index among the documents it is connected to, over all of them, eligible or not: int64."""


def survivors(
    rank: np.ndarray,
    exact_group: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    similarity: np.ndarray,
    eligible: np.ndarray,
    threshold: float,
) -> Survivors:
    """Decides who survives, best rank first.

    In the order of rank, an eligible document survives unless it equals a survivor, or has an edge of at
    least `threshold` to one; then it is removed in favour of the most similar such survivor, the better
    ranked if tied. Similarity is not passed on along chains: a document similar only to one that was removed
    survives. Documents of one exact group share each other's edges, because equal texts have equal shingles.

    Args:
        rank: int64, lower is better; ties go to the lower index.
        exact_group: int64, equal for documents with equal content hash.
        a: int64, indices of documents, the ends of verified edges.
        b: int64, the other ends.
        similarity: float64, true Jaccard similarity of each edge.
        eligible: bool, documents that passed the rules. Others neither survive nor are called duplicates;
        they count
            in components only.
        threshold: Smallest similarity of a duplicate.
    """
    count = len(rank)
    _, group = np.unique(exact_group, return_inverse=True)
    strong = similarity >= threshold
    a, b, similarity = a[strong].astype(np.int64), b[strong].astype(np.int64), similarity[strong]
    order = np.lexsort((np.arange(count), rank))
    order = order[eligible[order]]
    heads, tails, weights = _adjacency(group[a], group[b], similarity, int(group.max(initial=-1)) + 1)
    kept_doc, best = _choose(order, group, heads, tails, weights, count)
    kept = kept_doc == np.arange(count)
    removed = (kept_doc >= 0) & ~kept
    exact = removed & (group[kept_doc] == group)
    method = np.where(exact, "exact", "minhash")
    return Survivors(
        kept=kept,
        kept_doc=np.where(removed, kept_doc, -1),
        similarity=np.where(removed, best, np.nan),
        method=pa.array(method, pa.string(), mask=~removed),
        component=_components(group, group[a], group[b]),
    )


def _adjacency(a: np.ndarray, b: np.ndarray, weights: np.ndarray, groups: int) -> tuple[np.ndarray, ...]:
    """Edges in both directions by their first end: where each group's begin, second ends, weights."""
    first, second = np.concatenate((a, b)), np.concatenate((b, a))
    order = np.argsort(first, kind="stable")
    heads = np.searchsorted(first[order], np.arange(groups + 1))
    return heads, second[order], np.concatenate((weights, weights))[order]


@driver
def _choose(order, group, heads, tails, weights, count):
    """The survivor of each document in `order`, itself if it survives, and the similarity; else -1."""
    kept_doc = np.full(count, -1, dtype=np.int64)
    best = np.zeros(count)
    survivor = np.full(heads.size - 1, -1, dtype=np.int64)
    place = np.empty(count, dtype=np.int64)
    for position in range(order.size):
        document = order[position]
        place[document] = position
        mine = group[document]
        if survivor[mine] >= 0:
            kept_doc[document] = survivor[mine]
            best[document] = 1.0
            continue
        for edge in range(heads[mine], heads[mine + 1]):
            other = survivor[tails[edge]]
            if other < 0:
                continue
            closer = weights[edge] > best[document]
            tied = weights[edge] == best[document] and place[other] < place[kept_doc[document]]
            if closer or tied:
                kept_doc[document] = other
                best[document] = weights[edge]
        if kept_doc[document] < 0:
            survivor[mine] = kept_doc[document] = document
    return kept_doc, best


@driver
def _components(group, a, b):
    """Union-find over groups; the component of a document is the lowest document index in it."""
    groups = group.max() + 1 if group.size else 0
    parent = np.arange(groups)
    for edge in range(a.size):
        x, y = _root(parent, a[edge]), _root(parent, b[edge])
        if x != y:
            parent[max(x, y)] = min(x, y)
    lowest = np.full(groups, group.size, dtype=np.int64)
    component = np.empty(group.size, dtype=np.int64)
    for document in range(group.size):
        root = _root(parent, group[document])
        lowest[root] = min(lowest[root], document)
        component[document] = lowest[root]
    return component


@kernel
def _root(parent, node):
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node

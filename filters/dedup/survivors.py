"""Survivors among duplicates.

Nothing is removed on the word of a hash: a candidate pair (`candidates`) becomes an edge only when the
Jaccard similarity of its shingle sets has been computed (`jaccard`), and a document is removed only in favour
of a survivor that it equals or has an edge to.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.text.kernel import driver, kernel

VERSION = 1


class Survivors(NamedTuple):
    """Survival, nearest survivor and similarity of each document."""

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
    cluster_size: np.ndarray
    """How many documents it is connected to, itself included: int64."""


def survivors(
    rank: np.ndarray,
    exact_group: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    similarity: np.ndarray,
    eligible: np.ndarray,
    threshold: float,
    reference: np.ndarray | None = None,
) -> Survivors:
    """Decides who survives, best rank first.

    In the order of rank, an eligible document survives unless it equals a survivor, or has an edge of at
    least `threshold` to one; then it is removed in favour of the most similar such survivor, the better
    ranked if tied. Similarity is not passed on along chains: a document similar only to one that was removed
    survives. Documents of one exact group share each other's edges, because equal texts have equal shingles.

    Args:
        rank: int64, lower is better; ties go to the lower index.
        exact_group: int64, the lowest index of a document with the same content hash.
        a: int64, indices of documents, the ends of verified edges.
        b: int64, the other ends.
        similarity: float64, true Jaccard similarity of each edge.
        eligible: bool, documents that passed the rules. Others neither survive nor are called duplicates;
            they count in components only.
        threshold: Smallest similarity of a duplicate.
        reference: bool, documents that the others are only compared against: they rank before all others,
            and all of them survive.
    """
    count = len(rank)
    strong = similarity >= threshold
    a, b, similarity = a[strong], b[strong], similarity[strong]
    order = np.argsort(rank, kind="stable")
    order = order[eligible[order]]
    reference = np.zeros(count, bool) if reference is None else reference
    heads, tails, weights = _adjacency(exact_group[a], exact_group[b], similarity, count)
    kept_doc, best = _choose(order, reference, exact_group, heads, tails, weights)
    kept = kept_doc == np.arange(count)
    removed = (kept_doc >= 0) & ~kept
    exact = removed & (exact_group[kept_doc] == exact_group)
    component = components(exact_group, a, b)
    return Survivors(
        kept=kept,
        kept_doc=np.where(removed, kept_doc, -1),
        similarity=np.where(removed, best, np.nan),
        method=pc.if_else(pa.array(exact, mask=~removed), "exact", "minhash"),
        component=component,
        cluster_size=np.bincount(component, minlength=count)[component],
    )


def _adjacency(a: np.ndarray, b: np.ndarray, weights: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Edges in both directions by their first end: where each document's begin, second ends, weights."""
    first, second = np.concatenate((a, b)), np.concatenate((b, a))
    order = np.argsort(first, kind="stable")
    heads = np.concatenate(([0], np.cumsum(np.bincount(first, minlength=count))))
    return heads, second[order], np.concatenate((weights, weights))[order]


@driver
def _choose(order, reference, group, heads, tails, weights):
    """The survivor of each document in `order`, itself if it survives, and the similarity; else -1."""
    count = group.size
    kept_doc = np.full(count, -1, dtype=np.int64)
    best = np.zeros(count)
    survivor = np.full(count, -1, dtype=np.int64)
    place = np.empty(count, dtype=np.int64)
    for position in range(order.size):
        document = order[position]
        place[document] = position
        mine = group[document]
        if not reference[document]:
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
            kept_doc[document] = document
            if survivor[mine] < 0:
                survivor[mine] = document
    return kept_doc, best


def components(group: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The lowest index among the documents that each is connected to: int64.

    Args:
        group: int64, for each document the lowest index of those it is the same as, perhaps its own.
        a: int64, indices of documents, the ends of edges.
        b: int64, the other ends.
    """
    found: np.ndarray = _components(group, a, b)
    return found


@driver
def _components(group, a, b):
    """Union-find; a root is the lowest of its tree, and a tree's documents come after it."""
    parent = group.copy()
    for edge in range(a.size):
        x, y = _root(parent, a[edge]), _root(parent, b[edge])
        if x != y:
            parent[max(x, y)] = min(x, y)
    for document in range(parent.size):
        parent[document] = parent[parent[document]]
    return parent


@kernel
def _root(parent, node):
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node

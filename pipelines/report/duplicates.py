"""Duplicates: how many there are, how large their clusters, how similar their pairs, whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.graph.build import Graph
from pipelines.report.differences import differences
from pipelines.report.finished import Finished
from pipelines.report.overlap import EXAMPLES, Compared, Document, Duplicate, overlap
from pipelines.stages.dedup.verify_pairs import VerifyPairs
from pipelines.stages.document_rows import row_groups
from pipelines.stages.select import DUPLICATE

Row = dict[str, Any]
Numbers = npt.NDArray[np.int64]
BINS = 50
"""Of similarity from 0 to 1."""
FEW = 8
"""Clusters of so many documents are told apart; larger ones by powers of two."""


def duplicate_report(graph: Graph, done: Finished) -> Row | None:
    """What was found to be a duplicate; None where nothing is looked for, or not yet.

    `exact` and `near` are the documents dropped as such. Of the `pairs_compared`, as many as are
    `pairs_verified` are at least as similar as the `threshold` says, which is null where near duplicates are
    not looked for. `cluster_sizes`: clusters of more than one document, from the `smallest` to the size. One
    that reaches into an earlier increment counts by its share of new documents, rounded. `similarities`:
    pairs from `low` to under `high`, 1 being in the last, and the documents dropped for such a pair.
    `overlap`: documents of a source that were dropped in favour of one of `kept_source`.
    """
    dedup, selects = graph.recipe.dedup, list(done.of(graph.selects))
    if not selects or not (dedup.exact or dedup.minhash):
        return None
    threshold = dedup.minhash.verify if dedup.minhash else None
    dropped = dict.fromkeys(DUPLICATE, 0)
    sizes: Counter[int] = Counter()
    bounds = np.unique([*np.arange(BINS + 1) / BINS, *([threshold] if threshold else [])])
    pairs, pairs_dropped = np.zeros((2, len(bounds) - 1), np.int64)
    overlaps: Counter[tuple[str, str]] = Counter()
    examples: list[Duplicate] = []
    for select in selects:
        compared = Compared(graph, select, done.workdir)
        for verdicts in compared.verdicts(["reason", "similarity", "cluster_size"]):
            for method, reason in DUPLICATE.items():
                dropped[method] += int((verdicts["reason"] == reason).sum())
            sizes.update(dict(verdicts["cluster_size"].value_counts().rows()))
            near = verdicts.filter(pl.col("reason") == DUPLICATE["minhash"])["similarity"]
            pairs_dropped += _binned(near.to_numpy(), bounds)
        for similarity in _similarities(select.pairs, done.workdir):
            pairs += _binned(similarity, bounds)
        of_select, some = overlap(compared)
        overlaps.update(of_select)
        examples += some
    examples = sorted(examples, key=lambda each: each.rank)[:EXAMPLES]
    return {
        "exact": dropped["exact"],
        "near": dropped["minhash"],
        "pairs_compared": int(pairs.sum()),
        "pairs_verified": int(pairs[bounds[:-1] >= threshold].sum()) if threshold else 0,
        "threshold": threshold,
        "cluster_sizes": list(_cluster_sizes(sizes)),
        "similarities": [
            {"low": low, "high": high, "pairs": number, "dropped": gone}
            for low, high, number, gone in zip(
                bounds[:-1].tolist(), bounds[1:].tolist(), pairs.tolist(), pairs_dropped.tolist(), strict=True
            )
        ],
        "overlap": [
            {"source": source, "kept_source": kept, "documents": number}
            for (source, kept), number in sorted(overlaps.items())
        ],
        "examples": [_example(each, done.workdir) for each in examples],
    }


def _similarities(pairs: VerifyPairs | None, workdir: Path) -> Iterator[npt.NDArray[np.float64]]:
    """The similarities of the pairs that were compared, some at a time."""
    for table in pairs.edges(workdir) if pairs else ():
        yield table.column("similarity").to_numpy()


def _binned(similarity: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]) -> Numbers:
    """How many are between each two bounds."""
    return np.histogram(similarity, bounds)[0]


def _cluster_sizes(sizes: Counter[int]) -> Iterator[Row]:
    """Clusters of more than one document, by size; `sizes` has the documents in clusters of each."""
    clusters: Counter[int] = Counter()
    documents: Counter[int] = Counter()
    for size, number in sizes.items():
        if size > 1:
            bound = size if size <= FEW else 1 << (size - 1).bit_length()
            clusters[bound] += max(round(number / size), 1)
            documents[bound] += number
    for bound in sorted(clusters):
        yield {
            "smallest": bound if bound <= FEW else bound // 2 + 1,
            "size": bound,
            "clusters": clusters[bound],
            "documents": documents[bound],
        }


def _example(found: Duplicate, workdir: Path) -> Row:
    """A duplicate beside its survivor."""
    dropped, kept = _document(found.dropped, workdir), _document(found.kept, workdir)
    sides = differences(dropped["text"], kept["text"])
    pieces = ([piece._asdict() for piece in side] for side in sides)
    return {
        "doc_id": dropped["doc_id"],
        "kept_doc_id": kept["doc_id"],
        "source": found.dropped.source,
        "kept_source": found.kept.source,
        "similarity": found.similarity,
        "method": found.method,
        "pieces": dict(zip(("dropped", "kept"), pieces, strict=True)),
    }


def _document(place: Document, workdir: Path) -> dict[str, str]:
    path = place.parts.path(workdir, place.part)
    ((_, table),) = row_groups(path, np.array([place.row]), ["doc_id", "text"])
    (document,) = table.to_pylist()
    return dict(document)

"""Clusters: the survivors of more documents than memory holds.

What becomes of a document depends on its cluster alone: on the documents that have its text, and on those
that are connected to these by verified pairs. So documents are divided by clusters, and each division is
judged in memory. A document without duplicates is in none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.dedup import survivors
from pipelines.execution.spill import Partitions, RowValues, partitions_for, recut
from pipelines.stages.dedup.document_set import DocumentSet, Numbers

METHODS = ("exact", "minhash")
EDGES = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("similarity", pa.float64())])
"""Pairs of documents, and their true Jaccard similarity."""
Edges = Callable[[], Iterator[pa.Table]]


class Clusters:
    """The documents in pairs that are similar enough, and to which cluster each belongs.

    Memory: a bit for every document, and 12 bytes for each in such a pair.
    """

    def __init__(self, edges: Edges, documents: int, threshold: float) -> None:
        self._edges, self._threshold = edges, threshold
        self._in_pairs = DocumentSet(documents)
        for a, b, _ in self.pairs():
            self._in_pairs.add(a)
            self._in_pairs.add(b)
        self._paired = np.empty(len(self._in_pairs), np.uint32 if documents <= 2**32 else np.int64)
        first = 0
        for some in self._in_pairs.ascending():
            self._paired[first : first + len(some)] = some
            first += len(some)
        number = np.int32 if len(self._paired) < 2**31 else np.int64
        self._cluster = np.arange(len(self._paired), dtype=number)
        for a, b, _ in self.pairs():
            ends = (self._number(end).astype(number) for end in (a, b))
            self._cluster = survivors.components(self._cluster, *ends)

    def pairs(self) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
        """Both documents of each pair, and how similar they are."""
        for table in self._edges():
            strong = table.filter(pc.greater_equal(table.column("similarity"), self._threshold))
            a, b, similarity = (strong.column(name).to_numpy() for name in EDGES.names)
            yield a, b, similarity

    def of(self, texts: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """For each document the lowest in its cluster, itself if it is in no pair; and whether it is."""
        paired = self._in_pairs.has(texts)
        clusters = texts.copy()
        clusters[paired] = self._paired[self._cluster[self._number(texts[paired])]]
        return clusters, paired

    def _number(self, documents: Numbers) -> Numbers:
        return np.searchsorted(self._paired, documents.astype(self._paired.dtype))


def connected_survivors(
    scratch: Path, documents: Iterable[pa.Table], edges: Edges, count: int, threshold: float
) -> RowValues:
    """What becomes of the documents in clusters.

    Args:
        scratch: A folder.
        documents: All of them in order, some at a time: `place`, `exact_group`, `alone`, `reference` as of
            `Preference`, `eligible` bool, whether nothing else speaks against it, `key` uint64.
        edges: Gives the verified pairs `a`, `b`, `similarity`, whose documents are the first of their text.
        count: How many documents there are.
        threshold: Smallest similarity of a duplicate.

    Returns:
        As `filters.dedup.survivors`: `kept`, `kept_doc`, `similarity`, `method` (a number in `METHODS`, or
        -1), `component`, `cluster_size`; and `component_key`, the key of the document `component`.
    """
    clusters = Clusters(edges, count, threshold)
    members = Partitions(scratch, "members", partitions_for(count))
    first = 0
    for table in documents:
        texts = table.column("exact_group").to_numpy()
        cluster, paired = clusters.of(texts)
        connected = paired | ~table.column("alone").to_numpy()
        numbered = table.append_column("row", pa.array(np.arange(first, first + len(texts))))
        members.add(cluster[connected] % len(members), numbered.filter(pa.array(connected)))
        first += len(texts)
    pairs = Partitions(scratch, "pairs", len(members))
    for a, b, similarity in clusters.pairs():
        partition = clusters.of(a)[0] % len(members)
        pairs.add(partition, pa.table({"a": a, "b": b, "similarity": similarity}))
    found = RowValues(scratch, "survivors", count)
    for number in range(len(members)):
        tables = list(members.tables(number))
        if tables:
            found.add(_judged(pa.concat_tables(tables), list(pairs.tables(number)), threshold))
        members.remove(number)
        pairs.remove(number)
    return found


def _judged(members: pa.Table, pairs: list[pa.Table], threshold: float) -> pa.Table:
    """What becomes of the documents of some clusters, with the pairs of these."""
    rows = members.column("row").to_numpy()
    columns = {name: members.column(name).to_numpy() for name in ("place", "eligible", "reference", "key")}
    edges = pa.concat_tables(pairs) if pairs else EDGES.empty_table()
    a, b, similarity = (edges.column(name).to_numpy() for name in ("a", "b", "similarity"))
    outcome = survivors.survivors(
        columns["place"],
        np.searchsorted(rows, members.column("exact_group").to_numpy()),
        np.searchsorted(rows, a),
        np.searchsorted(rows, b),
        similarity,
        columns["eligible"],
        threshold,
        columns["reference"],
    )
    method = pc.fill_null(pc.index_in(outcome.method, value_set=pa.array(METHODS)), -1)
    return pa.table(
        {
            "row": rows,
            "kept": outcome.kept.astype(np.int8),
            "kept_doc": np.where(outcome.kept_doc < 0, -1, rows[outcome.kept_doc]),
            "similarity": outcome.similarity,
            "method": method.cast(pa.int8()),
            "component": rows[outcome.component],
            "cluster_size": outcome.cluster_size,
            "component_key": columns["key"][outcome.component],
        }
    )


def kept_ids(scratch: Path, found: RowValues, ids: Iterable[pa.Table], count: int) -> RowValues:
    """The `doc_id` of the survivor that each duplicate is removed in favour of.

    Args:
        scratch: A folder.
        found: As `connected_survivors` gave it.
        ids: `doc_id` of all documents in order, some at a time.
        count: How many documents there are.
    """
    asked, answered = RowValues(scratch, "asked", count), RowValues(scratch, "kept-ids", count)
    for _, tables in found.runs():
        for table in tables:
            removed = table.filter(pc.greater_equal(table.column("kept_doc"), 0))
            asked.add(pa.table({"row": removed.column("kept_doc"), "by": removed.column("row")}))
    sizes = (len(rows) for rows, _ in asked.runs())
    for (rows, tables), of_run in zip(asked.runs(), recut(ids, sizes), strict=False):
        names = of_run.column("doc_id").cast(pa.large_string()).combine_chunks()
        for table in tables:
            places = pc.subtract(table.column("row"), rows.start)
            answered.add(pa.table({"row": table.column("by"), "doc_id": names.take(places)}))
    return answered

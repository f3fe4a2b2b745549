"""Candidates: pairs of documents that share a band, made from band keys alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.dedup import candidates
from filters.dedup.candidates import CandidatePairs, candidate_pairs, ends, merged
from filters.dedup.exact import likely_shared
from filters.dedup.minhash import NO_WORDS, MinHash
from mixers.arrays import Allocate, chunks
from pipelines.execution.external_sort import sorted_rows
from pipelines.execution.output import Output, Task, TaskOutput, read_arrow
from pipelines.execution.scratch import mapped_arrays, scratch_folder
from pipelines.execution.spill import Partitions, partitions_for, recut
from pipelines.execution.stage import Stage
from pipelines.stages.dedup.bands import Bands, band_column
from pipelines.stages.dedup.clusters import EDGES, Clusters
from pipelines.stages.dedup.document_set import DocumentSet
from pipelines.stages.dedup.numbering import Documents, Numbering
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.similarity_cache import known_similarities

PAIRS_A_RUN = 1 << 24
PAIRS = "pairs.arrow"
UNVERIFIED = "unverified.arrow"


@dataclass(frozen=True, kw_only=True)
class Candidates(Stage):
    """One task a band. Output: `band-BB.arrow`: `pair` uint64, ascending.

    When sources or the policy change, all pairs are made anew, which reads no text; but their similarities
    are those of earlier runs where these verified the same pairs.
    """

    name: ClassVar[str] = "candidates"
    version: ClassVar[int] = 3
    preference: Preference
    bands: tuple[Bands, ...]
    minhash: MinHash

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.preference, *self.bands)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"pairs": candidates.VERSION}

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [{"band": band} for band in range(self.minhash.bands)]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        with scratch_folder(output.folder) as scratch:
            allocate, bounded = mapped_arrays(scratch), 0
            found: list[npt.NDArray[np.uint64]] = []
            divided = self._divided(workdir, band_column(task["band"]), scratch)
            for partition in range(len(divided)):
                paired = _paired(list(divided.tables(partition)))
                divided.remove(partition)
                bounded += paired.bounded
                found.append(allocate(len(paired.pairs), np.uint64))
                found[-1][:] = paired.pairs
            pairs = _joined(found, allocate)
            output.write_arrow(_band_file(task["band"]), pa.table({"pair": pairs}))
        output.counts.add("candidate_pairs", len(pairs))
        output.counts.add("pairs_left_out_of_huge_buckets", bounded)

    def _divided(self, workdir: Path, column: str, scratch: Path) -> Partitions:
        """The documents with words, of exact duplicates the first, divided by their keys in a band."""
        tables = (table for bands in self.bands for table in bands.tables(workdir, [column]))
        rows = [rows for bands in self.bands for rows in bands.parts.part_rows(workdir)]
        divided = Partitions(scratch, "keys", partitions_for(sum(rows)))
        first = 0
        for table, documents in zip(tables, recut(self.preference.documents(workdir), rows), strict=True):
            number, keys = np.arange(first, first + table.num_rows), table.column(column).to_numpy()
            first += table.num_rows
            wanted = (documents.column("exact_group").to_numpy() == number) & (keys != NO_WORDS)
            wanted &= ~documents.column("text_discarded").to_numpy()
            chosen = documents.select(["text_place", "text_reference"])
            chosen = chosen.append_column("key", pa.array(keys)).append_column("document", pa.array(number))
            divided.add(keys[wanted] % np.uint64(len(divided)), chosen.filter(pa.array(wanted)))
        return divided

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        """Merge the bands.

        `pairs.arrow`: `a` < `b`, distinct, those of a cluster together, and `similarity`, nan where no
        earlier run verified the pair. `unverified.arrow`: `document`, those of the other pairs, ascending.
        """
        numbering = Numbering.of(self.preference.parts, workdir)
        with scratch_folder(output.folder) as scratch:
            allocate = mapped_arrays(scratch)
            bands = [read_arrow(self.folder(workdir) / _band_file(n)) for n in range(self.minhash.bands)]
            pairs = _joined([band.column("pair").to_numpy() for band in bands], allocate)
            similarity = known_similarities(workdir, self.minhash.ngram, numbering, pairs, allocate)
            unverified = _unverified(pairs, similarity, numbering.documents, allocate)
            output.write_arrow(UNVERIFIED, pa.table({"document": unverified}))
            columns = [allocate(len(pairs), field.type.to_pandas_dtype()) for field in EDGES]
            first = 0
            for rows in _clusters_together(pairs, numbering.documents, scratch):
                here = slice(first, first + len(rows))
                columns[0][here], columns[1][here] = ends(pairs[rows])
                columns[2][here] = similarity[rows]
                first += len(rows)
            output.write_arrow(PAIRS, pa.table(columns, schema=EDGES))

    def pairs(self, workdir: Path) -> pa.Table:
        """`a`, `b`, `similarity` of all distinct pairs, memory-mapped."""
        return read_arrow(self.path(workdir, PAIRS))

    def unverified(self, workdir: Path) -> Documents:
        """The documents whose texts must be compared, ascending, memory-mapped."""
        documents: Documents = read_arrow(self.path(workdir, UNVERIFIED)).column("document").to_numpy()
        return documents


def _band_file(band: int) -> str:
    return f"band-{band:02d}.arrow"


def _paired(tables: list[pa.Table]) -> CandidatePairs:
    """The pairs of documents whose keys are in one partition."""
    if not tables:
        return CandidatePairs(np.empty(0, np.uint64), 0)
    documents = pa.concat_tables(tables)
    documents = documents.filter(pa.array(likely_shared(documents.column("key").to_numpy())))
    # The best come first, and so references before all others.
    best_first = documents.take(pc.sort_indices(documents.column("text_place")))
    keys, numbers = (best_first.column(name).to_numpy() for name in ("key", "document"))
    return candidate_pairs(keys, numbers, pc.sum(best_first.column("text_reference")).as_py() or 0)


def _joined(pieces: list[npt.NDArray[np.uint64]], allocate: Allocate) -> npt.NDArray[np.uint64]:
    """The distinct pairs of all pieces, ascending."""
    pairs, count = allocate(sum(map(len, pieces)), np.uint64), 0
    for run in merged(pieces, PAIRS_A_RUN):
        pairs[count : count + len(run)] = run
        count += len(run)
    return pairs[:count]


def _unverified(
    pairs: npt.NDArray[np.uint64], similarity: npt.NDArray[np.float64], count: int, allocate: Allocate
) -> Documents:
    """The documents in pairs of unknown similarity, ascending."""
    found = DocumentSet(count)
    for chunk in chunks(len(pairs)):
        for end in ends(pairs[chunk][np.isnan(similarity[chunk])]):
            found.add(end)
    documents, first = allocate(len(found), np.int64), 0
    for some in found.ascending():
        documents[first : first + len(some)] = some
        first += len(some)
    return documents


def _clusters_together(pairs: npt.NDArray[np.uint64], count: int, scratch: Path) -> Iterator[Documents]:
    """The numbers of pairs, those of a cluster together."""

    def edges() -> Iterator[pa.Table]:
        for chunk in chunks(len(pairs)):
            a, b = ends(pairs[chunk])
            yield pa.table([a, b, np.ones(len(a))], schema=EDGES)

    clusters = Clusters(edges, count, threshold=0)
    return sorted_rows(
        scratch,
        "clusters",
        (
            [clusters.of(ends(pairs[here])[0])[0], np.arange(here.start, here.stop)]
            for here in chunks(len(pairs))
        ),
    )

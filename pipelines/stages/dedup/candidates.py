"""Candidates: pairs of documents that share a band, made from band keys alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.dedup import candidates
from filters.dedup.candidates import candidate_pairs, ends, merged
from filters.dedup.minhash import MinHash
from filters.dedup.survivors import components
from pipelines.execution.output import Output, Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage
from pipelines.stages.dedup.bands import Bands, band_column
from pipelines.stages.dedup.numbering import Documents, Numbering
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.similarity_cache import known_similarities

PAIRS_A_RUN = 1 << 24
PAIRS = "pairs.arrow"
UNVERIFIED = "unverified.arrow"


@dataclass(frozen=True, kw_only=True)
class Candidates(Stage):
    """One task a band, so that memory holds one band. Output: `band-BB.arrow`: `pair` uint64, ascending.

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
        # Of exact duplicates one stands for all.
        order = self.preference.order(workdir)
        documents = order.column("document").to_numpy()
        references = pc.sum(order.column("reference")).as_py() or 0
        column = band_column(task["band"])
        tables = (table for bands in self.bands for table in bands.tables(workdir, [column]))
        keys = np.concatenate([np.empty(0, np.uint64), *(t.column(column).to_numpy() for t in tables)])
        paired = candidate_pairs(keys[documents], documents, references)
        output.write_arrow(_band_file(task["band"]), pa.table({"pair": paired.pairs}))
        output.counts.add("candidate_pairs", len(paired.pairs))
        output.counts.add("pairs_left_out_of_huge_buckets", paired.bounded)

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        """Merge the bands.

        `pairs.arrow`: `a` < `b`, distinct, those of a cluster together, and `similarity`, nan where no
        earlier run verified the pair. `unverified.arrow`: `document`, those of the other pairs, ascending.
        """
        bands = [read_arrow(self.folder(workdir) / _band_file(n)) for n in range(self.minhash.bands)]
        runs = merged([band.column("pair").to_numpy() for band in bands], PAIRS_A_RUN)
        pairs = np.concatenate([np.empty(0, np.uint64), *runs])
        numbering = Numbering.of(self.preference.parts, workdir)
        similarity = known_similarities(workdir, self.minhash.ngram, numbering, pairs)
        a, b = ends(pairs)
        new = np.isnan(similarity)
        documents = np.unique(np.concatenate([a[new], b[new]]))
        output.write_arrow(UNVERIFIED, pa.table({"document": documents}))
        cluster = components(np.arange(numbering.documents), a, b)[a]
        together = np.argsort(cluster, kind="stable")
        columns = {"a": a[together], "b": b[together], "similarity": similarity[together]}
        output.write_arrow(PAIRS, pa.table(columns))

    def pairs(self, workdir: Path) -> pa.Table:
        """`a`, `b`, `similarity` of all distinct pairs, memory-mapped."""
        return read_arrow(self.path(workdir, PAIRS))

    def unverified(self, workdir: Path) -> Documents:
        """The documents whose texts must be compared, ascending, memory-mapped."""
        documents: Documents = read_arrow(self.path(workdir, UNVERIFIED)).column("document").to_numpy()
        return documents


def _band_file(band: int) -> str:
    return f"band-{band:02d}.arrow"

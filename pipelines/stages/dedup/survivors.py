"""The stages of `coupage dedup` that a recipe has no use for: it judges by rules and duplicates together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.dedup import survivors
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import ReducingStage, Stage
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.verify_pairs import EDGES, VerifyPairs
from pipelines.stages.kept import Kept
from pipelines.stages.sidecar import values_of_documents

EVIDENCE = "duplicates.parquet"
VERDICTS = "verdicts.parquet"


@dataclass(frozen=True, kw_only=True)
class Survivors(ReducingStage):
    """Who survives. Output:

    `duplicates.parquet`, a row for each removed document: `doc_id`, `kept_doc_id`, `similarity`, `method`,
    `cluster_size`; and `verdicts.parquet`, `kept` bool for each document. An id that occurs twice is no
    reason to remove: only texts are compared.
    """

    name: ClassVar[str] = "survivors"
    version: ClassVar[int] = 3
    preference: Preference
    pairs: VerifyPairs | None
    threshold: float

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (*self.preference.hashes, self.preference, *((self.pairs,) if self.pairs else ()))

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"duplicate_similarity": self.threshold, "survivors": survivors.VERSION}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        documents = self.preference.documents(workdir)
        edges = self.pairs.edges(workdir) if self.pairs else EDGES.empty_table()
        outcome = survivors.survivors(
            documents.column("place").to_numpy(),
            documents.column("exact_group").to_numpy(),
            edges.column("a").to_numpy(),
            edges.column("b").to_numpy(),
            edges.column("similarity").to_numpy(),
            np.ones(documents.num_rows, bool),
            self.threshold,
            documents.column("reference").to_numpy(),
        )
        removed = np.flatnonzero(~outcome.kept)
        preferred, place = np.unique(outcome.kept_doc[removed], return_inverse=True)
        hashes = self.preference.hashes
        preferred_ids = values_of_documents(hashes, workdir, "doc_id", preferred)
        evidence = {
            "doc_id": values_of_documents(hashes, workdir, "doc_id", removed),
            "kept_doc_id": preferred_ids.take(pa.array(place)),
            "similarity": outcome.similarity[removed],
            "method": outcome.method.take(pa.array(removed)),
            "cluster_size": outcome.cluster_size[removed],
        }
        output.write_table(EVIDENCE, pa.table(evidence))
        output.write_table(VERDICTS, pa.table({"kept": outcome.kept}))
        for method in ("exact", "minhash"):
            output.counts.add(
                "duplicates", pc.sum(pc.equal(evidence["method"], method)).as_py() or 0, reason=method
            )
        own = pc.and_not(documents.column("repeated_id"), documents.column("reference"))
        output.counts.add("repeated_ids", pc.sum(own).as_py() or 0)


@dataclass(frozen=True, kw_only=True)
class KeptSurvivors(Kept):
    """The documents that survive."""

    dropped_as: ClassVar[str] = "duplicate"
    survivors: Survivors

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.survivors)

    @override
    def is_kept(self, workdir: Path, task: Task, rows: int) -> pa.ChunkedArray:
        verdicts = pq.read_table(self.survivors.path(workdir, VERDICTS)).column("kept")
        return verdicts.slice(task["first"], rows)

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
from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.verify_pairs import EDGES, VerifyPairs
from pipelines.stages.parts import PerPartStage
from pipelines.stages.sidecar import values_of_documents

EVIDENCE = "duplicates.parquet"
VERDICTS = "verdicts.parquet"
COLUMNS = ["doc_id", "text", "url", "metadata"]
OF_CONVERSATIONS = ("messages", "template_fields")
"""Of a part, those that differ between documents which come from files given on a command line."""


@dataclass(frozen=True, kw_only=True)
class Survivors(SingleTaskStage):
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
class Kept(PerPartStage):
    """Output: a file of each part's name with the documents that survive, whole conversations too."""

    name: ClassVar[str] = "kept"
    version: ClassVar[int] = 2
    survivors: Survivors

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.survivors)

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        rows = self.parts.part_rows(workdir)
        firsts = np.cumsum([0, *rows]).tolist()
        names = self.parts.part_names(workdir)
        return [{"part": name, "first": first} for name, first in zip(names, firsts, strict=False)]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        columns = [*COLUMNS, *OF_CONVERSATIONS]
        part = pq.read_table(self.parts.path(workdir, task["part"]), columns=columns)
        part = part.drop_columns([name for name in OF_CONVERSATIONS if _is_empty(part.column(name))])
        verdicts = pq.read_table(self.survivors.path(workdir, VERDICTS)).column("kept")
        kept = part.filter(verdicts.slice(task["first"], part.num_rows))
        output.write_table(task["part"], kept)
        output.counts.flow(
            "documents",
            entered=part.num_rows,
            left=kept.num_rows,
            dropped={Count("duplicate"): part.num_rows - kept.num_rows},
        )


def _is_empty(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count == len(column))

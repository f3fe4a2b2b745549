"""The stages of `coupage dedup` that a recipe has no use for: it judges by rules and duplicates together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.dedup.survivors import survivors
from pipelines.execution.output import Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage
from pipelines.stages.annotate import Annotate, sidecar_values
from pipelines.stages.dedup.preference import FILE as RANK
from pipelines.stages.dedup.preference import Rank
from pipelines.stages.dedup.verify_pairs import Duplicates
from pipelines.stages.parts import PartStage

EVIDENCE = "duplicates.parquet"
VERDICTS = "verdicts.parquet"
COLUMNS = ["doc_id", "text", "url", "metadata"]
"""Of a part, those that differ between documents which come from files given on a command line."""


@dataclass(frozen=True)
class Signatures(Annotate):
    """Annotate without the quality signals, which take most of its time: `bytes` is the only one."""

    name: ClassVar[str] = "signatures"
    version: ClassVar[int] = 1

    def signals(self, texts: pa.ChunkedArray) -> pa.Table:
        """`bytes`."""
        return pa.table({"bytes": pc.binary_length(texts).cast(pa.int64())})


@dataclass(frozen=True)
class Survivors(Stage):
    """One task.

    Output: `duplicates.parquet`, a row for each removed document: `doc_id`, `kept_doc_id`, `similarity`,
    `method`, `cluster_size`; and `verdicts.parquet`, `kept` bool for each document. An id that occurs twice
    is no reason to remove: only texts are compared.
    """

    name: ClassVar[str] = "survivors"
    version: ClassVar[int] = 2
    rank: Rank
    duplicates: Duplicates | None
    threshold: float

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The ids, the ranks and the compared pairs."""
        return (*self.rank.annotations, self.rank, *((self.duplicates,) if self.duplicates else ()))

    @property
    def settings(self) -> dict[str, Any]:
        """The smallest similarity of a duplicate."""
        return {"duplicate_similarity": self.threshold}

    def tasks(self, workdir: Path) -> list[Task]:
        """One: a duplicate may be anywhere."""
        return [{}]

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Decide who survives."""
        ranks = read_arrow(self.rank.folder(workdir) / RANK)
        edges = self.duplicates.edges(workdir) if self.duplicates else _no_edges()
        outcome = survivors(
            ranks.column("rank").to_numpy(),
            ranks.column("exact_group").to_numpy(),
            edges.column("a").to_numpy(),
            edges.column("b").to_numpy(),
            edges.column("similarity").to_numpy(),
            np.ones(ranks.num_rows, bool),
            self.threshold,
            ranks.column("reference").to_numpy(),
        )
        removed = np.flatnonzero(~outcome.kept)
        preferred, place = np.unique(outcome.kept_doc[removed], return_inverse=True)
        evidence = {
            "doc_id": sidecar_values(self.rank.annotations, workdir, "doc_id", removed),
            "kept_doc_id": sidecar_values(self.rank.annotations, workdir, "doc_id", preferred).take(
                pa.array(place)
            ),
            "similarity": outcome.similarity[removed],
            "method": outcome.method.take(pa.array(removed)),
            "cluster_size": outcome.cluster_size[removed],
        }
        output.write_table(EVIDENCE, pa.table(evidence))
        output.write_table(VERDICTS, pa.table({"kept": outcome.kept}))
        for method in ("exact", "minhash"):
            output.counts.fact(method, pc.sum(pc.equal(evidence["method"], method)).as_py() or 0)
        own = pc.and_not(ranks.column("repeated_id"), ranks.column("reference"))
        output.counts.fact("repeated_ids", pc.sum(own).as_py() or 0)


def _no_edges() -> pa.Table:
    return pa.table({"a": np.empty(0, np.int64), "b": np.empty(0, np.int64), "similarity": np.empty(0)})


@dataclass(frozen=True)
class Kept(Stage):
    """One task a part. Output: a file of the part's name with the documents that survive."""

    name: ClassVar[str] = "kept"
    version: ClassVar[int] = 1
    parts: PartStage
    survivors: Survivors

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The documents and the verdicts."""
        return (self.parts, self.survivors)

    @property
    def settings(self) -> dict[str, Any]:
        """None of its own."""
        return {}

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each part."""
        rows = self.parts.part_rows(workdir)
        firsts = np.cumsum([0, *rows]).tolist()
        names = self.parts.part_names(workdir)
        return [{"part": name, "first": first} for name, first in zip(names, firsts, strict=False)]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents."""
        return {"documents": sum(self.parts.part_rows(workdir))}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Write the survivors of one part."""
        part = pq.read_table(self.parts.folder(workdir) / task["part"], columns=COLUMNS)
        verdicts = pq.read_table(self.survivors.folder(workdir) / VERDICTS).column("kept")
        kept = part.filter(verdicts.slice(task["first"], part.num_rows))
        output.write_table(task["part"], kept)
        output.counts.flow(
            "documents",
            entered=part.num_rows,
            left=kept.num_rows,
            dropped={"duplicate": part.num_rows - kept.num_rows},
        )

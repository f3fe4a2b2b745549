"""The stages of `coupage dedup` that a recipe has no use for: it judges by rules and duplicates together."""

from __future__ import annotations

from collections.abc import Iterator
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
from pipelines.execution.scratch import scratch_folder
from pipelines.execution.spill import recut
from pipelines.execution.stage import ReducingStage, Stage
from pipelines.stages.dedup.clusters import METHODS, connected_survivors, kept_ids
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.verify_pairs import VerifyPairs
from pipelines.stages.kept import Kept

EVIDENCE = "duplicates.parquet"
VERDICTS = "verdicts.parquet"
EVIDENCE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("doc_id", "kept_doc_id")),
        ("similarity", pa.float64()),
        ("method", pa.string()),
        ("cluster_size", pa.int64()),
    ]
)
VERDICTS_SCHEMA = pa.schema([("kept", pa.bool_())])


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
        sizes = [rows for parts in self.preference.parts for rows in parts.part_rows(workdir)]
        with scratch_folder(output.folder) as scratch:
            found = connected_survivors(
                scratch,
                map(_contenders, self.preference.documents(workdir)),
                lambda: self.pairs.edges(workdir) if self.pairs else iter(()),
                sum(sizes),
                self.threshold,
            )
            kept = kept_ids(scratch, found, self._ids(workdir), sum(sizes)).strings("doc_id")
            of_clusters = found.columns(kept=-1, similarity=np.nan, method=-1, cluster_size=1)
            with (
                output.tables(EVIDENCE, EVIDENCE_SCHEMA, 0) as write_evidence,
                output.tables(VERDICTS, VERDICTS_SCHEMA, sum(sizes)) as write_verdicts,
            ):
                for ids, kept_id, outcome in zip(
                    self._ids(workdir), recut(kept, sizes), recut(of_clusters, sizes), strict=True
                ):
                    verdicts = _with_ids(outcome, ids.column("doc_id"), kept_id.column("doc_id"))
                    write_verdicts(verdicts.select(["kept"]))
                    write_evidence(verdicts.filter(pc.invert(verdicts.column("kept"))).drop_columns("kept"))
                    for method in METHODS:
                        of_method = pc.sum(pc.equal(verdicts.column("method"), method)).as_py() or 0
                        output.counts.add("duplicates", of_method, reason=method)
        for documents in self.preference.documents(workdir):
            own = pc.and_not(documents.column("repeated_id"), documents.column("reference"))
            output.counts.add("repeated_ids", pc.sum(own).as_py() or 0)

    def _ids(self, workdir: Path) -> Iterator[pa.Table]:
        return (table for hashes in self.preference.hashes for table in hashes.tables(workdir, ["doc_id"]))


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


def _contenders(documents: pa.Table) -> pa.Table:
    """Documents that nothing but duplicates speaks against."""
    eligible = pa.array(np.ones(documents.num_rows, bool))
    return documents.append_column("eligible", eligible).append_column("key", documents.column("place"))


def _with_ids(outcome: pa.Table, ids: pa.ChunkedArray, kept_ids: pa.ChunkedArray) -> pa.Table:
    """The evidence on each document of a part, and whether it is kept."""
    method = pc.if_else(pc.less(outcome.column("method"), 0), None, outcome.column("method"))
    columns = {
        "doc_id": ids,
        "kept_doc_id": kept_ids,
        "similarity": outcome.column("similarity"),
        "method": pa.array(METHODS).take(method.cast(pa.int8())),
        "cluster_size": outcome.column("cluster_size"),
        "kept": pc.not_equal(outcome.column("kept"), 0),
    }
    return pa.table(columns, schema=pa.schema([*EVIDENCE_SCHEMA, *VERDICTS_SCHEMA]))

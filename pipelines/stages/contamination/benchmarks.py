"""Benchmarks: the items that documents are compared with, and their index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.contamination import code, index, words
from filters.contamination.index import Index, build_index
from filters.contamination.items import ITEMS
from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.sources.base import QUARANTINE_SCHEMA
from pipelines.sources.benchmarks import BenchmarkInput
from pipelines.stages.contamination.index_files import read_index, write_index

ITEMS_FILE = "items.parquet"
SET_ASIDE = "set_aside.parquet"


@dataclass(frozen=True, kw_only=True)
class Benchmarks(SingleTaskStage):
    """Output: `items.parquet` (ITEMS), their index, and `set_aside.parquet` (QUARANTINE_SCHEMA)."""

    name: ClassVar[str] = "benchmarks"
    version: ClassVar[int] = 1
    against: Mapping[str, BenchmarkInput] = field(hash=False)

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return ()

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "against": {name: benchmark.identity for name, benchmark in self.against.items()},
            "index": [index.VERSION, words.VERSION, code.VERSION],
        }

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        tables = [ITEMS.empty_table()]
        set_aside: list[dict[str, Any]] = []
        for benchmark in self.against.values():
            found = benchmark.read()
            tables.append(found.items)
            set_aside += [
                {**row._asdict(), "file": f"{benchmark.name}: {row.file}"} for row in found.set_aside.rows
            ]
            losses = found.set_aside.losses
            lost = sum(loss.records for loss in losses.values())
            output.counts.flow(
                "items",
                entered=found.items.num_rows + lost,
                left=found.items.num_rows,
                dropped={
                    Count("set_aside", benchmark.name, reason): loss.records
                    for reason, loss in losses.items()
                },
            )
        items = pa.concat_tables(tables)
        built = build_index(items)
        output.write_table(ITEMS_FILE, items)
        output.write_table(SET_ASIDE, pa.Table.from_pylist(set_aside, schema=QUARANTINE_SCHEMA))
        write_index(built, output)
        self._count(built, output)

    def _count(self, built: Index, output: TaskOutput) -> None:
        """Items by benchmark and split, and those that say the same as another one of their benchmark."""
        splits = built.items.group_by(["benchmark", "split"]).aggregate([([], "count_all")])
        for row in splits.to_pylist():
            output.counts.add("items", row["count_all"], scope=row["benchmark"], reason=row["split"] or "")
        rows = pa.array(range(built.items.num_rows), pa.int64())
        twins = built.items.filter(pc.not_equal(built.items.column("same_as"), rows)).column("benchmark")
        for row in pc.value_counts(twins).to_pylist():
            output.counts.add("items_alike", row["counts"], scope=row["values"])

    def items(self, workdir: Path) -> pa.Table:
        """All items (ITEMS), by the rows that matches name."""
        return pq.read_table(self.path(workdir, ITEMS_FILE))

    def set_aside(self, workdir: Path) -> pa.Table:
        """Records that are no items (QUARANTINE_SCHEMA); the benchmark's name stands before the file."""
        return pq.read_table(self.path(workdir, SET_ASIDE))

    def index(self, workdir: Path) -> Index:
        """Their index, memory-mapped."""
        return read_index(self, workdir)

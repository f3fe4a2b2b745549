"""Parts written anew without the spans of benchmarks that are to be cut out of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.text.texts import replaced
from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.contamination.cutting import without_spans
from pipelines.stages.contamination.verdicts import CUT, ContaminationVerdicts
from pipelines.stages.parts import PartStage, PerPartStage, text_size, write_parts


@dataclass(frozen=True, kw_only=True)
class WithoutSpans(PerPartStage, PartStage):
    """One task a part. Output: the part without what is cut, as parts of PART_SCHEMA."""

    name: ClassVar[str] = "decontaminated"
    version: ClassVar[int] = 1
    verdicts: ContaminationVerdicts
    part_bytes: int

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, *self.verdicts.stages)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"part_size": self.part_bytes, **self.verdicts.settings}

    @property
    @override
    def domain(self) -> str:
        return self.parts.domain

    @property
    @override
    def origin(self) -> PartStage:
        return self.parts.origin

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        matches = self.verdicts.table(workdir, task["part"]).filter(pl.col("action") == CUT)
        path = self.parts.path(workdir, task["part"])
        write_parts(self._tables(path, matches, output), output, self.part_bytes)

    def _tables(self, path: Path, matches: pl.DataFrame, output: TaskOutput) -> Iterator[pa.Table]:
        first = 0
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                documents = file.read_row_group(number, columns=PART_SCHEMA.names)
                here = matches.filter(pl.col("row").is_between(first, first + documents.num_rows - 1))
                yield self._without(documents, here.with_columns(pl.col("row") - first), output)
                first += documents.num_rows

    def _without(self, documents: pa.Table, matches: pl.DataFrame, output: TaskOutput) -> pa.Table:
        texts = documents.column("text")
        of_row = {
            row: list(zip(found["start"], found["end"], strict=True))
            for (row,), found in matches.group_by("row", maintain_order=True)
        }
        cut = [without_spans(texts[row].as_py(), spans) for row, spans in of_row.items()]
        new = replaced(texts, pl.Series(list(of_row), dtype=pl.Int64).to_numpy(), cut)
        emptied = pc.and_(pc.equal(pc.binary_length(new), 0), pc.greater(pc.binary_length(texts), 0))
        index = documents.schema.get_field_index("text")
        kept = documents.set_column(index, documents.schema.field(index), new).filter(pc.invert(emptied))
        before, after = text_size(texts), text_size(kept.column("text"))
        counts = output.counts
        counts.flow(
            "documents",
            entered=documents.num_rows,
            left=kept.num_rows,
            dropped={Count("emptied", self.name): documents.num_rows - kept.num_rows},
        )
        counts.flow(
            "bytes", entered=before, left=after, dropped={Count("removed", self.name): before - after}
        )
        counts.add("documents_cut", len(of_row))
        counts.add("text_bytes_read", before)
        for (benchmark,), found in matches.group_by("benchmark"):
            counts.add("spans_cut", len(found), scope=str(benchmark))
        return kept

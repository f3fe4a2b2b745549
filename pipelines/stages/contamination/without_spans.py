"""Parts written anew without the spans of benchmarks that are to be cut out of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
from typing_extensions import override

from filters.text.texts import replaced
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.contamination.cutting import without_spans
from pipelines.stages.contamination.verdicts import CUT, ContaminationVerdicts
from pipelines.stages.parts import RewrittenParts, row_groups, write_parts


@dataclass(frozen=True, kw_only=True)
class WithoutSpans(RewrittenParts):
    """One task a part. Output: the part without what is cut, as parts of PART_SCHEMA."""

    name: ClassVar[str] = "decontaminated"
    version: ClassVar[int] = 1
    verdicts: ContaminationVerdicts

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, *self.verdicts.stages)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {**super().settings, **self.verdicts.settings}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        matches = self.verdicts.table(workdir, task["part"]).filter(pl.col("action") == CUT)
        path = self.parts.path(workdir, task["part"])
        write_parts(self._tables(path, matches, output), output, self.part_bytes)

    def _tables(self, path: Path, matches: pl.DataFrame, output: TaskOutput) -> Iterator[pa.Table]:
        first = 0
        for documents in row_groups(path, PART_SCHEMA.names):
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
        output.counts.add("documents_cut", len(of_row))
        for (benchmark,), found in matches.group_by("benchmark"):
            output.counts.add("spans_cut", len(found), scope=str(benchmark))
        return self.with_texts(documents, new, output.counts)

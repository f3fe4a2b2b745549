"""Matches: what the documents of a source have of the items of benchmarks, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.contamination import match
from filters.contamination.frequency import without_common
from filters.contamination.items import MATCHES
from filters.contamination.judge import Thresholds
from filters.contamination.match import find_matches
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.contamination.common_ngrams import CommonNgrams
from pipelines.stages.parts import PerPartStage, row_groups, text_size


@dataclass(frozen=True, kw_only=True)
class Matches(PerPartStage):
    """Output: a file of each part's name with its matches (MATCHES); `row` is that of the part."""

    name: ClassVar[str] = "matches"
    version: ClassVar[int] = 1
    common: CommonNgrams
    thresholds: Thresholds

    @property
    def benchmarks(self) -> Benchmarks:
        """What documents are compared with."""
        return self.common.benchmarks

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.benchmarks, self.common)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"version": match.VERSION, "thresholds": self.thresholds._asdict()}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        index = without_common(self.benchmarks.index(workdir), self.common.common(workdir))
        found = [MATCHES.empty_table()]
        documents = 0
        for group in row_groups(self.parts.path(workdir, task["part"]), ["text"]):
            texts = group.column("text")
            table = find_matches(texts, index, self.thresholds)
            rows = pc.add(table.column("row"), documents)
            found.append(table.set_column(0, MATCHES.field("row"), rows))
            documents += len(texts)
            output.counts.add("text_bytes_read", text_size(texts))
        output.write_table(task["part"], pa.concat_tables(found))
        output.counts.flow("documents", entered=documents, left=documents)

    def table(self, workdir: Path, part: str) -> pa.Table:
        """The matches in one part."""
        return pq.read_table(self.path(workdir, part))

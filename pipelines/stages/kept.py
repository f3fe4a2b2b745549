"""What a command keeps of the documents that it was given: the stages of a recipe judge otherwise."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.stages.parts import PerPartStage

COLUMNS = ["doc_id", "text", "url", "metadata"]
OF_CONVERSATIONS = ("messages", "template_fields")
"""Of a part, those that differ between documents which come from files given on a command line."""


@dataclass(frozen=True, kw_only=True)
class Kept(PerPartStage):
    """Output: a file of each part's name with the documents that are kept, whole conversations too."""

    name: ClassVar[str] = "kept"
    version: ClassVar[int] = 2
    dropped_as: ClassVar[str]
    """What is counted of the others."""

    @abstractmethod
    def is_kept(self, workdir: Path, task: Task, rows: int) -> pa.ChunkedArray | pa.BooleanArray:
        """Whether each document of the task's part is kept."""

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
        kept = part.filter(self.is_kept(workdir, task, part.num_rows))
        output.write_table(task["part"], kept)
        output.counts.flow(
            "documents",
            entered=part.num_rows,
            left=kept.num_rows,
            dropped={Count(self.dropped_as): part.num_rows - kept.num_rows},
        )


def _is_empty(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count == len(column))

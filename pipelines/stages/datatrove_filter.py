"""datatrove filter: what one of datatrove's filters says of each document of a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.datatrove_filters import COLUMNS, DatatroveFilter, datatrove_version, short_name
from pipelines.stage import Stage, Task, TaskOutput
from pipelines.stages.parts import PartStage, slices_by_text, text_size

READ_BYTES = 2 << 20


@dataclass(frozen=True)
class DatatroveVerdicts(Stage):
    """One task a part. Output: a sidecar of the part's name, one row a document in the part's order:

    `keep` bool and `reason` string, null for a document that passes.
    """

    name: ClassVar[str] = "datatrove"
    version: ClassVar[int] = 1
    parts: PartStage
    filter: str
    options: dict[str, Any] = field(hash=False)

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The parts."""
        return (self.parts,)

    @property
    def settings(self) -> dict[str, Any]:
        """The filter, its options and the version of datatrove."""
        return {
            "filter": short_name(self.filter),
            "options": self.options,
            "datatrove": datatrove_version(),
        }

    @property
    def verdict(self) -> str:
        """The name of the verdict on a document that does not pass."""
        return f"{self.name}.{short_name(self.filter)}"

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each part."""
        return [{"part": name} for name in self.parts.part_names(workdir)]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents of the parts."""
        return {"documents": sum(self.parts.part_rows(workdir))}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Judge the documents of one part."""
        part = pq.read_table(self.parts.folder(workdir) / task["part"], columns=COLUMNS)
        judge = DatatroveFilter(self.filter, self.options)
        found = [judge.judge(piece) for piece in slices_by_text(part, READ_BYTES)]
        reasons = pa.chunked_array([verdicts.reasons for verdicts in found], pa.string())
        output.write_table(task["part"], pa.table({"keep": pc.is_null(reasons), "reason": reasons}))
        output.counts.flow("documents", entered=part.num_rows, left=len(reasons))
        output.counts.fact("text_bytes_read", text_size(part.column("text")))
        output.counts.fact("documents_with_errors", sum(verdicts.errors for verdicts in found))

    def reasons(self, workdir: Path) -> pa.ChunkedArray:
        """The verdict on each document, with the filter's reason; null if it passes."""
        folder = self.folder(workdir)
        tables = [pq.read_table(folder / name, columns=["reason"]) for name in self.parts.part_names(workdir)]
        reason = pa.chunked_array([c for t in tables for c in t.column("reason").chunks], pa.string())
        full = pc.binary_join_element_wise(self.verdict, reason, ": ")
        return pc.if_else(pc.equal(reason, ""), self.verdict, full)

"""datatrove filter: what one of datatrove's filters says of each document of a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.quality.datatrove import COLUMNS, DatatroveFilter, short_name
from pipelines.errors import WorkError
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.output import Task, TaskOutput
from pipelines.stages.parts import slices_by_text, text_size
from pipelines.stages.sidecar import Sidecar

READ_BYTES = 2 << 20


@dataclass(frozen=True, kw_only=True)
class DatatroveVerdicts(Sidecar):
    """Output: `keep` bool and `reason` string, null for a document that passes."""

    name: ClassVar[str] = "datatrove"
    version: ClassVar[int] = 1
    filter: str
    options: dict[str, Any] = field(hash=False)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "filter": short_name(self.filter),
            "options": self.options,
            **library_versions("datatrove"),
        }

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return ("keep", "reason")

    @property
    def verdict(self) -> str:
        """The name of the verdict on a document that does not pass."""
        return f"{self.name}.{short_name(self.filter)}"

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        part = pq.read_table(self.parts.path(workdir, task["part"]), columns=COLUMNS)
        pieces = slices_by_text(part, READ_BYTES)
        with _work_errors():
            datatrove_filter = DatatroveFilter(self.filter, self.options)
            found = [datatrove_filter.judge(piece) for piece in pieces]
        reasons = pa.chunked_array([verdicts.reasons for verdicts in found], pa.string())
        output.write_table(task["part"], pa.table({"keep": pc.is_null(reasons), "reason": reasons}))
        output.counts.flow("documents", entered=part.num_rows, left=len(reasons))
        output.counts.add("text_bytes_read", text_size(part.column("text")))
        output.counts.add("documents_with_errors", sum(verdicts.errors for verdicts in found))

    def reasons(self, workdir: Path, part: str) -> pa.ChunkedArray:
        """The verdict on each document of a part, with the filter's reason; null if it passes."""
        reason = self.table(workdir, part, ["reason"]).column("reason")
        full = pc.binary_join_element_wise(self.verdict, reason, ": ")
        return pc.if_else(pc.equal(reason, ""), self.verdict, full)


@contextmanager
def _work_errors() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        hint = "Install what it names, for instance with `pip install datatrove[processing]`."
        raise WorkError(str(error), hint=hint) from error
    except ValueError as error:
        hint = "Check its options in `curate.rules`; some filters fetch a model or a list first."
        raise WorkError(str(error), hint=hint) from error

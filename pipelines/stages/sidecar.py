"""Sidecars: tables beside the parts of a source, with one row a document in the part's order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.output import ROW_GROUP, Task, TaskOutput
from pipelines.execution.shared_pass import JoinableStage
from pipelines.stages.parts import PerPartStage, text_size

ROWS_A_SLICE = 8 * ROW_GROUP
"""Documents that are measured at a time: of tiny ones a part holds a million."""


class Sidecar(PerPartStage):
    """A stage whose output is a Parquet file of the part's name for each part."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns of its files."""

    @override
    def carried_name(self, name: str, old: int, old_task: Task, new: int, task: Task) -> str | None:
        return str(task["part"]) if name == old_task["part"] else None

    def tables(self, workdir: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Columns of each part's documents, part by part."""
        for name in self.parts.part_names(workdir):
            yield self.table(workdir, name, columns)

    def table(self, workdir: Path, part: str, columns: Sequence[str]) -> pa.Table:
        """Columns of one part's documents."""
        return pq.read_table(self.path(workdir, part), columns=list(columns))


class Annotation(Sidecar, JoinableStage):
    """A sidecar that is measured from the part alone, in one pass with all others of the part."""

    name: ClassVar[str] = "annotate"
    version: ClassVar[int] = 3
    reads: ClassVar[tuple[str, ...]] = ("text",)
    """The columns of the part that are measured."""

    @abstractmethod
    def measure(self, documents: pa.Table) -> pa.Table:
        """The sidecar of some documents of a part."""

    @classmethod
    def measure_together(cls, members: Sequence[Self], documents: pa.Table) -> list[pa.Table]:
        """The sidecar of each of several annotations of this kind."""
        return [member.measure(documents) for member in members]

    @property
    @override
    def pass_key(self) -> str:
        return self.parts.scope

    @classmethod
    @override
    def run_together(
        cls, members: Sequence[Self], workdir: Path, task: Task, outputs: Sequence[TaskOutput]
    ) -> int:
        parts, name = members[0].parts, task["part"]
        part = pq.read_table(
            parts.path(workdir, name), columns=sorted({c for member in members for c in member.reads})
        )
        starts = range(0, max(1, part.num_rows), ROWS_A_SLICE)
        with ExitStack() as stack:
            writers = {}
            for documents in (part.slice(start, ROWS_A_SLICE) for start in starts):
                for number, table in _measured(members, documents):
                    if number not in writers:
                        file = outputs[number].tables(name, table.schema, part.num_rows)
                        writers[number] = stack.enter_context(file)
                    writers[number](table)
        read = text_size(part.column("text"))
        for output in outputs:
            output.counts.flow("documents", entered=part.num_rows, left=part.num_rows)
            output.counts.add("text_bytes_read", read)
        return read


def _measured(members: Sequence[Annotation], documents: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """The number of each member, and its sidecar; those of one kind are measured together."""
    for first in {type(member): member for member in members}.values():
        numbers = [number for number, member in enumerate(members) if type(member) is type(first)]
        tables = first.measure_together([members[number] for number in numbers], documents)
        yield from zip(numbers, tables, strict=True)

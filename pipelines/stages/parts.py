"""Parts: the Parquet files in which documents rest, and the stages that make them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.counts import Count, Counts
from pipelines.execution.manifest import FileRecord
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Inputs, Stage
from pipelines.sources.schema import PART_SCHEMA

ROW_GROUP_TEXT_BYTES = 2 << 20
COMPRESSION_LEVEL = 3


class PartStage(Stage):
    """A stage whose Parquet files are corpus parts."""

    @property
    @abstractmethod
    def domain(self) -> str:
        """The group to which its documents belong."""

    @property
    def origin(self) -> PartStage:
        """The stage that made the documents, where this one only writes them anew."""
        return self

    def part_names(self, workdir: Path) -> list[str]:
        """Its parts, in document order."""
        return [file.name for file in self.part_files(workdir)]

    def part_files(self, workdir: Path) -> list[FileRecord]:
        """The files of its parts, in document order."""
        files = [file for task in self.manifest(workdir).tasks for file in task.files]
        return [file for file in files if file.name.endswith(".parquet") and "/" not in file.name]

    def part_rows(self, workdir: Path) -> list[int]:
        """The number of documents of each part."""
        return [file.rows for file in self.part_files(workdir)]


@dataclass(frozen=True, kw_only=True)
class PerPartStage(Stage):
    """A stage with a task for each part of another one."""

    parts: PartStage

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts,)

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [{"part": name} for name in self.parts.part_names(workdir)]

    @property
    def beside(self) -> tuple[Stage, ...]:
        """Those inputs of which a task reads only the file that has its part's name."""
        return ()

    @override
    def task_key(self, task: Task, inputs: Inputs) -> Any:
        part = task["part"]
        of_part = {stage.label for stage in (self.parts, *self.beside)}
        read = {
            label: manifest.by_name[part].hash if label in of_part else manifest.content
            for label, manifest in inputs.items()
        }
        return [{name: value for name, value in task.items() if name != "part"}, read]

    @override
    def carried_name(self, name: str, old: int, old_task: Task, new: int, task: Task) -> str | None:
        return name if (old, old_task) == (new, task) else None

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return {"documents": sum(self.parts.part_rows(workdir))}


@dataclass(frozen=True, kw_only=True)
class RewrittenParts(PerPartStage, PartStage):
    """A stage that writes parts anew with less text in them."""

    part_bytes: int

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"part_size": self.part_bytes}

    @property
    @override
    def domain(self) -> str:
        return self.parts.domain

    @property
    @override
    def origin(self) -> PartStage:
        return self.parts.origin

    def with_texts(self, documents: pa.Table, new: pa.Array, counts: Counts) -> pa.Table:
        """The documents with these texts, but those of which nothing is left; counts what went."""
        old = documents.column("text")
        emptied = pc.and_(pc.equal(pc.binary_length(new), 0), pc.greater(pc.binary_length(old), 0))
        index = documents.schema.get_field_index("text")
        kept = documents.set_column(index, documents.schema.field(index), new).filter(pc.invert(emptied))
        before, after = text_size(old), text_size(kept.column("text"))
        gone = documents.num_rows - kept.num_rows
        counts.flow(
            "documents",
            entered=documents.num_rows,
            left=kept.num_rows,
            dropped={Count("emptied", self.name): gone},
        )
        counts.flow(
            "bytes", entered=before, left=after, dropped={Count("removed", self.name): before - after}
        )
        counts.add("text_bytes_read", before)
        return kept


def row_groups(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """The documents of a part, some at a time."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=columns)


def write_parts(tables: Iterable[pa.Table], output: TaskOutput, part_bytes: int) -> tuple[int, int]:
    """Write documents as parts of about `part_bytes` of text; returns documents and text bytes."""
    documents = text_bytes = 0
    for number, part in enumerate(_parts(tables, part_bytes)):
        rows = sum(table.num_rows for table in part)
        with (
            output.file(f"{output.task:05d}-{number:03d}.parquet", rows) as path,
            pq.ParquetWriter(
                path, PART_SCHEMA, compression="zstd", compression_level=COMPRESSION_LEVEL
            ) as writer,
        ):
            for table in part:
                for group in slices_by_text(table, ROW_GROUP_TEXT_BYTES):
                    writer.write_table(group, row_group_size=max(1, group.num_rows))
        documents += rows
        text_bytes += sum(text_size(table.column("text")) for table in part)
    return documents, text_bytes


def _parts(tables: Iterable[pa.Table], part_bytes: int) -> Iterator[list[pa.Table]]:
    part: list[pa.Table] = []
    size = 0
    for table in tables:
        for piece in slices_by_text(table, part_bytes):
            bytes_here = text_size(piece.column("text"))
            if part and size + bytes_here > part_bytes:
                yield part
                part, size = [], 0
            part.append(piece)
            size += bytes_here
    if part:
        yield part


def slices_by_text(table: pa.Table, limit: int) -> Iterator[pa.Table]:
    """Cut a table into runs of rows with at most `limit` bytes of text (or one row that is larger)."""
    ends = np.cumsum(pc.binary_length(table.column("text")).to_numpy())
    start = 0
    while start < table.num_rows:
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield table.slice(start, stop - start)
        start = stop


def text_size(texts: pa.ChunkedArray) -> int:
    """UTF-8 bytes of a column of texts."""
    return int(pc.sum(pc.binary_length(texts)).as_py() or 0)

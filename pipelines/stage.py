"""A stage: a pure function of its inputs, its settings and the version of its code.

The fingerprint of these three names its folder. Its work is a list of tasks that depends on nothing else,
so any number of workers on any machine writes the same files.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mixers.files import finished_file, hash_file
from pipelines.atomic import write_bytes
from pipelines.counts import Counts
from pipelines.errors import WorkError
from pipelines.fingerprint import canonical_json, fingerprint
from pipelines.manifest import FileRecord, Manifest, Receipt, read_manifest

Task = dict[str, Any]
TASKS = "tasks.json"
RECEIPTS = "receipts"


@dataclass(frozen=True)
class Stage(ABC):
    """One node of the graph. `scope` tells apart nodes of the same kind: a source, or a mixture."""

    name: ClassVar[str]
    version: ClassVar[int]
    scope: str

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stage, ...]:
        """The stages whose output this one reads."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Everything else that its output depends on, JSON-able."""

    @abstractmethod
    def tasks(self, workdir: Path) -> list[Task]:
        """The units of work and of resume, JSON-able; called once all inputs are finished."""

    @abstractmethod
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Do one task: write files and counts to `output`."""

    def finish(self, workdir: Path, output: StageOutput) -> None:  # noqa: B027
        """Write the files that need all tasks to be done. Most stages have none."""

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """What must have entered this stage, by unit, according to the manifests of its inputs."""
        return {}

    @property
    def label(self) -> str:
        """The name for people."""
        return f"{self.name} {self.scope}".strip()

    @cached_property
    def fingerprint(self) -> str:
        """The name of this stage's output."""
        return fingerprint(
            {
                "stage": self.name,
                "version": self.version,
                "settings": self.settings,
                "inputs": [stage.fingerprint for stage in self.inputs],
            }
        )

    def folder(self, workdir: Path) -> Path:
        """Where this stage's output is."""
        return workdir / "stages" / f"{self.slug}-{self.fingerprint[:12]}"

    @property
    def slug(self) -> str:
        """The part of the folder's name that is the same for all settings."""
        return f"{self.name}-{self.scope}" if self.scope else self.name

    def manifest(self, workdir: Path) -> Manifest:
        """The manifest of this stage, which must be finished."""
        manifest = read_manifest(self.folder(workdir))
        if manifest is None:
            raise WorkError(f"the stage `{self.label}` is not finished", mend="Run `coupage run` again.")
        return manifest

    def is_finished(self, workdir: Path) -> bool:
        """Whether the manifest exists."""
        return read_manifest(self.folder(workdir)) is not None


AnyStage = TypeVar("AnyStage", bound=Stage)


def distinct(stages: Iterable[AnyStage]) -> tuple[AnyStage, ...]:
    """The stages in order, each once."""
    return tuple({stage.slug: stage for stage in stages}.values())


class TaskOutput:
    """Where a task writes: files appear whole, the receipt last."""

    def __init__(self, folder: Path, task: int) -> None:
        self.folder = folder
        self.task = task
        self.counts = Counts()
        self._files: list[FileRecord] = []
        self._started = time.monotonic()

    @contextmanager
    def file(self, name: str, rows: int = 0) -> Iterator[Path]:
        """Give a path to write the file `name` to; it is hashed and takes its name when the block ends."""
        with finished_file(self.folder / name) as temporary:
            yield temporary
            record = FileRecord(
                name=name, bytes=temporary.stat().st_size, rows=rows, hash=hash_file(temporary)
            )
        self._files.append(record)

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a Parquet file."""
        with self.file(name, table.num_rows) as path:
            pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)

    def write_tables(self, name: str, tables: Iterator[pa.Table], rows: int) -> None:
        """Write a Parquet file of at least one table, of `rows` rows in all, one table at a time."""
        with self.file(name, rows) as path:
            first = next(tables)
            # Numbers of documents hardly repeat: dictionaries of them cost time and room.
            with pq.ParquetWriter(path, first.schema, compression="zstd", use_dictionary=False) as writer:
                for table in chain([first], tables):
                    writer.write_table(table, row_group_size=ROW_GROUP)

    def write_arrow(self, name: str, table: pa.Table) -> None:
        """Write an uncompressed Arrow file, which `read_arrow` maps into memory."""
        with self.file(name, table.num_rows) as path, pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file for people and programs."""
        with self.file(name) as path:
            path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")

    def adopt(self, name: str, rows: int = 0) -> None:
        """Record a file that was written under its final name by other means."""
        path = self.folder / name
        self._files.append(FileRecord(name=name, bytes=path.stat().st_size, rows=rows, hash=hash_file(path)))

    def write_receipt(self) -> Receipt:
        """End the task."""
        seconds = round(time.monotonic() - self._started, 3)
        receipt = Receipt(task=self.task, files=self._files, counts=self.counts, seconds=seconds)
        write_bytes(receipt_path(self.folder, self.task), canonical_json(receipt.to_json()))
        return receipt


ROW_GROUP = 8192


def open_arrow(path: Path) -> pa.ipc.RecordBatchFileReader:
    """The batches of an uncompressed Arrow file, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(str(path)))


def read_arrow(path: Path) -> pa.Table:
    """The table of an uncompressed Arrow file, memory-mapped."""
    return open_arrow(path).read_all()


class StageOutput(TaskOutput):
    """Where a stage writes the files that belong to all its tasks together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, -1)

    @property
    def files(self) -> list[FileRecord]:
        """What was written."""
        return self._files


def receipt_path(folder: Path, task: int) -> Path:
    """Where the receipt of a task lies until the manifest takes it in."""
    return folder / RECEIPTS / f"{task:06d}.json"


def read_receipt(folder: Path, task: int) -> Receipt | None:
    """The receipt of a finished task, or None."""
    try:
        return Receipt.model_validate(orjson.loads(receipt_path(folder, task).read_bytes()))
    except FileNotFoundError:
        return None

"""What tasks and stages write: files that appear whole, and the receipt last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from mixers.files import FileState, finished_file, hash_file
from pipelines.execution.counts import Counts
from pipelines.execution.manifest import (
    Damaged,
    FileRecord,
    Receipt,
    damages_of,
    read_manifest,
    read_sealed,
    write_sealed,
)
from pipelines.plain import complain

Task = dict[str, Any]
TASKS = "tasks.json"
RECEIPTS = "receipts"
ROW_GROUP = 8192


class Output:
    """Files of a stage, which appear whole and are recorded with their hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[FileRecord] = []

    @contextmanager
    def file(self, name: str, rows: int = 0) -> Iterator[Path]:
        """Give a path to write the file `name` to; it is hashed and takes its name when the block ends."""
        with finished_file(self.folder / name) as temporary:
            yield temporary
            record = FileRecord(
                name=name, bytes=temporary.stat().st_size, rows=rows, hash=hash_file(temporary)
            )
        self.files.append(record)

    def copy_folder(self, folder: Path, name: str) -> None:
        """Write copies of the files in a folder, as files in `name`."""
        for path in sorted(folder.iterdir()):
            with self.file(f"{name}/{path.name}") as target:
                target.write_bytes(path.read_bytes())

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a Parquet file."""
        with self.file(name, table.num_rows) as path:
            pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)

    @contextmanager
    def tables(self, name: str, schema: pa.Schema, rows: int) -> Iterator[Callable[[pa.Table], None]]:
        """Give a function that adds a table to the Parquet file `name`, of `rows` rows in all."""
        # Numbers of documents hardly repeat: dictionaries of them cost time and room.
        with (
            self.file(name, rows) as path,
            pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer,
        ):
            yield lambda table: writer.write_table(table, row_group_size=ROW_GROUP)

    @contextmanager
    def growing_table(self, name: str, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
        """Give a function that adds a table to the Parquet file `name`, which is made with the first."""
        rows = 0
        write: Callable[[pa.Table], None] | None = None
        with ExitStack() as stack:

            def add(table: pa.Table) -> None:
                nonlocal rows, write
                write = write or stack.enter_context(self.tables(name, schema, 0))
                write(table)
                rows += table.num_rows

            yield add
        if rows:
            self.files[-1].rows = rows

    def write_arrow(self, name: str, table: pa.Table) -> None:
        """Write an uncompressed Arrow file, which `read_arrow` maps into memory."""
        with self.file(name, table.num_rows) as path, pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)

    @contextmanager
    def arrow_batches(self, name: str, schema: pa.Schema, rows: int) -> Iterator[Callable[[pa.Table], None]]:
        """Give a function that adds a table to the Arrow file `name`, of `rows` rows in all."""
        with self.file(name, rows) as path, pa.ipc.new_file(path, schema) as writer:
            yield lambda table: write_batches(writer, table)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file for people and programs."""
        with self.file(name) as path:
            path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")

    def adopt(self, name: str, rows: int = 0) -> None:
        """Record a file that was written under its final name by other means."""
        path = self.folder / name
        self.files.append(FileRecord(name=name, bytes=path.stat().st_size, rows=rows, hash=hash_file(path)))


class TaskOutput(Output):
    """Where a task writes and counts; its receipt comes last."""

    def __init__(self, folder: Path, task: int, tell: Callable[[str], None] = complain) -> None:
        super().__init__(folder)
        self.task = task
        self.tell = tell
        """Says on the way how far it has come."""
        self.counts = Counts()
        self._started = time.monotonic()

    def write_receipt(self) -> Receipt:
        """End the task."""
        seconds = round(time.monotonic() - self._started, 3)
        receipt = Receipt(task=self.task, files=self.files, counts=self.counts, seconds=seconds)
        write_sealed(receipt_path(self.folder, self.task), receipt.model_dump())
        return receipt


def write_batches(writer: pa.ipc.RecordBatchFileWriter, table: pa.Table) -> None:
    """Write a table, one without rows too, in as few batches as can be."""
    for batch in table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]:
        writer.write_batch(batch)


def open_arrow(path: Path) -> pa.ipc.RecordBatchFileReader:
    """The batches of an uncompressed Arrow file, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(str(path)))


def arrow_tables(path: Path) -> Iterator[pa.Table]:
    """The batches of an uncompressed Arrow file one after another, none of it mapped into memory."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])


def read_arrow(path: Path) -> pa.Table:
    """The table of an uncompressed Arrow file, memory-mapped."""
    return open_arrow(path).read_all()


def receipt_path(folder: Path, task: int) -> Path:
    """Where the receipt of a task lies until the manifest takes it in."""
    return folder / RECEIPTS / f"{task:06d}.json"


def read_receipt(folder: Path, task: int) -> Receipt | None:
    """The receipt of a finished task, or None: also for one that is torn or changed."""
    try:
        receipt = Receipt.model_validate(read_sealed(receipt_path(folder, task)))
    except (FileNotFoundError, NotADirectoryError, Damaged, ValidationError):
        return None
    return receipt if receipt.task == task else None


def write_tasks(folder: Path, tasks: list[Task]) -> None:
    """Write the list of a stage's tasks."""
    write_sealed(folder / TASKS, {"tasks": tasks})


def read_tasks(folder: Path) -> list[Task] | None:
    """The tasks of a stage, or None where their list was not made, is torn or changed. Not to be changed."""
    path = folder / TASKS
    try:
        return _tasks_in_state(path, FileState.of(path))
    except (FileNotFoundError, NotADirectoryError, Damaged, KeyError):
        return None


@lru_cache(maxsize=64)
def _tasks_in_state(path: Path, state: FileState) -> list[Task]:
    tasks: list[Task] = read_sealed(path)["tasks"]
    return tasks


def remove_undone(folder: Path, tasks: int) -> None:
    """Remove the receipts of tasks that are not done after all: torn ones, and those with damaged files."""
    for task in range(tasks):
        receipt = read_receipt(folder, task)
        if receipt is None or any(damages_of(folder, receipt.files)):
            receipt_path(folder, task).unlink(missing_ok=True)


def whole_files(folder: Path) -> dict[str, FileRecord]:
    """The files of a stage's finished tasks, whether the stage is finished or not, by name."""
    try:
        manifest = read_manifest(folder)
    except Damaged:
        return {}
    if manifest is not None:
        return manifest.by_name
    try:
        return _received_files(folder, FileState.of(folder / RECEIPTS))
    except (FileNotFoundError, NotADirectoryError):
        return {}


@lru_cache(maxsize=64)
def _received_files(folder: Path, receipts: FileState) -> dict[str, FileRecord]:
    tasks = len(read_tasks(folder) or ())
    found = (read_receipt(folder, task) for task in range(tasks))
    return {file.name: file for receipt in found if receipt for file in receipt.files}

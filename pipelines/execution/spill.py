"""Spill: tables with a row a document, in files of a scratch folder: few rows are in memory at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.execution.output import write_batches

ROWS_AT_ONCE = 1 << 22
"""Rows that are held in memory at a time: a hundred megabytes or two."""
ROWS_A_PARTITION = 1 << 18
"""So many, as far as there are not too many partitions: a table of them stays in a processor's cache."""
MOST_PARTITIONS = 128
"""Each is an open file. Of more than 2**29 rows, more than `ROWS_AT_ONCE` are in each."""

Rows = npt.NDArray[Any]


class TableFile:
    """Tables in a file, read in the order in which they were added. The first gives the schema."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.arrows"
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, table: pa.Table) -> None:
        """Add a table."""
        if self._writer is None:
            self._writer = pa.ipc.new_stream(str(self._path), table.schema)
        write_batches(self._writer, table)

    def tables(self) -> Iterator[pa.Table]:
        """The tables. They are copies: no page of the file stays mapped into memory."""
        if self._writer is None:
            return
        self._writer.close()
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def remove(self) -> None:
        """Give the room on the disk back; it has been read."""
        self._path.unlink(missing_ok=True)


class Partitions:
    """Rows divided among files, so that those of one partition can be read alone, in their order."""

    def __init__(self, folder: Path, name: str, number: int) -> None:
        self._files = [TableFile(folder, f"{name}-{partition:03d}") for partition in range(number)]
        self._waiting: list[tuple[npt.NDArray[np.uint16], pa.Table]] = []
        self._rows = 0

    def __len__(self) -> int:
        return len(self._files)

    def add(self, partition: Rows, table: pa.Table) -> None:
        """Add rows, each to its partition."""
        self._waiting.append((partition.astype(np.uint16), table))
        self._rows += table.num_rows
        if self._rows >= ROWS_AT_ONCE // 4:
            self._write()

    def tables(self, partition: int) -> Iterator[pa.Table]:
        """The rows of a partition, in the order in which they were added, some at a time."""
        self._write()
        waiting: list[pa.Table] = []
        for table in self._files[partition].tables():
            waiting.append(table)
            if sum(table.num_rows for table in waiting) >= ROWS_AT_ONCE // 4:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting).combine_chunks()

    def remove(self, partition: int) -> None:
        """Give the room of a partition back; it has been read."""
        self._files[partition].remove()

    def _write(self) -> None:
        if not self._rows:
            return
        partition = np.concatenate([partition for partition, _ in self._waiting])
        rows = pa.concat_tables([table for _, table in self._waiting]).combine_chunks()
        self._waiting, self._rows = [], 0
        if len(self._files) > 1:
            rows = rows.take(pa.array(np.argsort(partition, kind="stable")))
        ends = np.cumsum(np.bincount(partition, minlength=len(self._files))).tolist()
        for file, start, stop in zip(self._files, [0, *ends], ends, strict=False):
            if start < stop:
                file.add(rows.slice(start, stop - start))


class RowValues:
    """What is known of some of a corpus's rows: it comes in any order and is read in runs of rows.

    All that are made for the same number of rows have the same runs.
    """

    def __init__(self, folder: Path, name: str, rows: int) -> None:
        self._rows = rows
        self._run = max(ROWS_AT_ONCE, -(-rows // MOST_PARTITIONS))
        self._partitions = Partitions(folder, name, max(1, -(-rows // self._run)))

    def add(self, values: pa.Table) -> None:
        """Add values of the rows whose numbers are in the column `row`."""
        self._partitions.add(values.column("row").to_numpy() // self._run, values)

    def runs(self) -> Iterator[tuple[range, Iterator[pa.Table]]]:
        """Each run's rows, and what is known of them, in no order."""
        for number in range(len(self._partitions)):
            first = number * self._run
            rows = range(first, min(first + self._run, self._rows))
            yield rows, self._partitions.tables(number)

    def columns(self, **defaults: Any) -> Iterator[pa.Table]:
        """A row for every row of the corpus, run by run: the named columns, with `defaults` in the gaps.

        A default is a number, or None for the number of the row itself.
        """
        for rows, tables in self.runs():
            columns = {
                name: np.arange(rows.start, rows.stop) if default is None else np.full(len(rows), default)
                for name, default in defaults.items()
            }
            for table in tables:
                places = table.column("row").to_numpy() - rows.start
                for name, column in columns.items():
                    column[places] = table.column(name).to_numpy()
            yield pa.table(columns)

    def strings(self, name: str) -> Iterator[pa.Table]:
        """A row for every row of the corpus, run by run: a column of strings, null where none is known."""
        for rows, known in self.runs():
            tables = list(known)
            place = np.full(len(rows), -1)
            values = pa.chunked_array([c for t in tables for c in t.column(name).chunks], pa.large_string())
            if tables:
                of_rows = pa.concat_tables(tables).column("row").to_numpy()
                place[of_rows - rows.start] = np.arange(len(of_rows))
            yield pa.table({name: values.take(pa.array(place, mask=place < 0))})


def partitions_for(rows: int) -> int:
    """How many partitions so many rows need."""
    return min(MOST_PARTITIONS, max(1, -(-rows // ROWS_A_PARTITION)))


def recut(tables: Iterable[pa.Table], sizes: Iterable[int]) -> Iterator[pa.Table]:
    """The rows of `tables` in tables of these sizes, as far as they go."""
    coming = iter(tables)
    held: pa.Table | None = None
    for size in sizes:
        while held is None or held.num_rows < size:
            more = next(coming, None)
            if more is None:
                break
            held = pa.concat_tables([held, more]) if held else more
        if held is None:
            return
        yield held.slice(0, size)
        held = held.slice(size)

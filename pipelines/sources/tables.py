"""Columnar files: Parquet, cut at row groups, and Arrow streams and files, cut at batches."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from pipelines.errors import UserError
from pipelines.sources.base import BATCH_BYTES, Quarantine, Reason, Shares, Unit
from pipelines.sources.fields import FieldMap, documents_from_table
from pipelines.sources.listing import InputFile

MAX_BATCH_ROWS = 512
"""Rows of Parquet are decoded in batches of at most so many: a small file may stand for large rows."""

TO_THE_END = sys.maxsize
"""The end of a unit whose file was not, or could not be, looked into."""

_ARROW_FILE = b"ARROW1"
"""What a file in the Arrow file format begins with; others are streams."""


def parquet_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Ranges of row groups of about `part_bytes`, uncompressed; a small remote file is not looked into."""
    if file.remote and file.size <= part_bytes:
        return [_whole(file, "parquet")]
    try:
        with _open_parquet(file) as parquet:
            groups = [parquet.metadata.row_group(index) for index in range(parquet.num_row_groups)]
            return _ranges(
                file, "parquet", [(group.num_rows, group.total_byte_size) for group in groups], part_bytes
            )
    except (OSError, pa.ArrowInvalid):
        return [_whole(file, "parquet")]


def read_parquet(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of row groups; the unreadable rest of a row group is set aside and the next one goes on."""
    with _open_parquet(file) as parquet:
        row = unit.first_row
        last_row = sys.maxsize if unit.rows is None else row + unit.rows
        for index in range(unit.start, min(unit.stop, parquet.num_row_groups)):
            group = parquet.metadata.row_group(index)
            group_end = row + group.num_rows
            shares = Shares(group.total_byte_size, group.num_rows, row)
            batch_rows = _batch_rows(file, parquet, index)
            batches = parquet.iter_batches(batch_rows, row_groups=[index], use_threads=False)
            while row < min(group_end, last_row):
                try:
                    batch = next(batches)
                except (OSError, pa.ArrowInvalid, StopIteration) as error:
                    if file.remote:
                        raise
                    end = min(group_end, last_row)
                    quarantine.add(
                        file.path,
                        f"rows {row} to {end - 1}",
                        Reason.UNREADABLE_ROWS,
                        str(error),
                        bytes=shares.of(row, end),
                        records=end - row,
                    )
                    row = group_end
                    break
                yield documents_from_table(
                    batch.slice(0, last_row - row),
                    row,
                    shares.of,
                    field_map,
                    file.path,
                    quarantine,
                )
                row += batch.num_rows
            if row >= last_row:
                return


def _batch_rows(file: InputFile, parquet: Any, index: int) -> int:
    """How many rows of a row group are decoded at a time.

    Its size says little where one value of a dictionary stands for many rows, so a row is looked at; not over
    a network, where that would fetch it twice.
    """
    group = parquet.metadata.row_group(index)
    row: int = max(1, group.total_byte_size // max(1, group.num_rows))
    if not file.remote:
        with suppress(OSError, pa.ArrowInvalid, StopIteration):  # reading it will say why
            row = max(row, next(parquet.iter_batches(1, row_groups=[index], use_threads=False)).nbytes)
    return max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // row))


def count_parquet(file: InputFile) -> int:
    """Number of rows."""
    with _open_parquet(file) as parquet:
        return int(parquet.metadata.num_rows)


def arrow_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Ranges of record batches of about `part_bytes`; a remote file is one unit, as it has no index."""
    if file.remote:
        return [_whole(file, "arrow")]
    try:
        with _open_arrow(file) as batches:
            return _ranges(file, "arrow", [(batch.num_rows, batch.nbytes) for batch in batches], part_bytes)
    except (OSError, pa.ArrowInvalid):
        return [_whole(file, "arrow")]


def read_arrow(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of record batches; where one breaks, the rest of the file is set aside."""
    row = unit.first_row
    last_row = sys.maxsize if unit.rows is None else row + unit.rows
    with _open_arrow(file) as batches:
        for index in range(unit.stop):
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (OSError, pa.ArrowInvalid) as error:
                if file.remote:
                    raise
                lost, rows = unit.without(row - unit.first_row)
                position, reason = f"from row {row} on", Reason.UNREADABLE_ROWS
                quarantine.add(file.path, position, reason, str(error), bytes=lost, records=rows)
                return
            if index < unit.start:
                continue
            if row >= last_row:
                return
            shares = Shares(batch.nbytes, batch.num_rows, row)
            yield documents_from_table(
                batch.slice(0, last_row - row), row, shares.of, field_map, file.path, quarantine
            )
            row += batch.num_rows


def count_arrow(file: InputFile) -> int:
    """Number of rows; reads a remote file."""
    with _open_arrow(file) as batches:
        return sum(batch.num_rows for batch in batches)


def _ranges(file: InputFile, format_name: str, pieces: list[tuple[int, int]], part_bytes: int) -> list[Unit]:
    """Units of consecutive pieces, each given by its rows and bytes."""
    units: list[Unit] = []
    start = first_row = rows = size = 0
    for index, (piece_rows, piece_bytes) in enumerate(pieces, 1):
        rows, size = rows + piece_rows, size + piece_bytes
        if size >= part_bytes or index == len(pieces):
            units.append(Unit(file.path, format_name, start, index, first_row, size, rows=rows))
            start, first_row, rows, size = index, first_row + rows, 0, 0
    return units or [Unit(file.path, format_name, 0, 0, 0, 0, rows=0)]


def _whole(file: InputFile, format_name: str) -> Unit:
    """All there is in a file that could not be looked into; reading it will say why."""
    return Unit(file.path, format_name, 0, TO_THE_END, 0, file.size)


@contextmanager
def _open_parquet(file: InputFile) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with file.open() as raw, pq.ParquetFile(raw) as parquet:
        _check_names(file, parquet.schema_arrow)
        yield parquet


@contextmanager
def _open_arrow(file: InputFile) -> Iterator[Iterator[pa.RecordBatch]]:
    with file.open() if file.remote else pa.memory_map(file.location) as raw:
        is_file = raw.read(len(_ARROW_FILE)) == _ARROW_FILE
        raw.seek(0)
        with pa.ipc.open_file(raw) if is_file else pa.ipc.open_stream(raw) as reader:
            _check_names(file, reader.schema)
            yield map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)


def _check_names(file: InputFile, schema: pa.Schema) -> None:
    """Raises UserError where a name means several columns."""
    several = [name for name, times in Counter(schema.names).items() if times > 1]
    if several:
        raise UserError(
            f"several columns have the name {', '.join(several)}",
            file=file.location,
            hint="Write the file anew with a name of its own for each column.",
        )

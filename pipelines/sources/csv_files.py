"""CSV (.csv, .tsv) with a header line. A quoted field may hold newlines (RFC 4180), so a file is one unit."""

import csv
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from pipelines.sources.base import SAMPLE_BYTES, Quarantine, Reason, Unit
from pipelines.sources.compressed import Decompressed, Stream, open_stream, split_compression
from pipelines.sources.fields import FieldMap, Record, documents_from_records, line_position
from pipelines.sources.lines import BLOCK_BYTES, BYTE_ORDER_MARK, MAX_RECORD_BYTES
from pipelines.sources.listing import InputFile


def csv_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """The whole file as one unit."""
    return [Unit(file.path, "csv", 0, file.size, 0, file.size, rows=None if file.size else 0)]


def read_csv(file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Documents of the rows below the header; a row of another length than the header's is set aside."""
    records: list[Record] = []
    first_byte = 0
    with open_stream(file) as stream:
        rows = _rows(stream, delimiter_of(file.path))
        header = next(rows, _NO_HEADER).fields
        for number, row in enumerate(rows):
            if unit.rows is not None and number == unit.rows:
                break
            if row.reason is None and len(row.fields) == len(header):
                value = dict(zip(header, row.fields, strict=True))
                records.append((number, row.line, row.byte, value))
            else:
                position = line_position(row.line, row.byte)
                quarantine.add(file.path, position, row.reason or Reason.INVALID_CSV, row.sample)
            if row.byte - first_byte > BLOCK_BYTES:
                yield documents_from_records(records, field_map, file.path, quarantine)
                records, first_byte = [], row.byte
        broken = stream.broken if isinstance(stream, Decompressed) else None
    if broken is not None:
        quarantine.add(file.path, "the rest of the file", broken)
    yield documents_from_records(records, field_map, file.path, quarantine)


def count_csv(file: InputFile) -> int:
    """Number of rows below the header, bad ones included; reads the file."""
    with open_stream(file) as stream:
        return max(0, sum(1 for _ in _rows(stream, delimiter_of(file.path))) - 1)


def delimiter_of(path: str) -> str:
    """What stands between the fields of a file: a tab in .tsv."""
    return "\t" if split_compression(path)[0].endswith(".tsv") else ","


class _Row(NamedTuple):
    """One row, good or bad, and where it begins."""

    line: int
    byte: int
    fields: list[str]
    reason: Reason | None
    sample: bytes


_NO_HEADER = _Row(0, 0, [], None, b"")


def _rows(raw: Stream, delimiter: str) -> Iterator[_Row]:
    """Rows of a CSV file, the header included, blank lines not."""
    csv.field_size_limit(MAX_RECORD_BYTES)  # the module's own limit is 128 KiB
    lines = _Lines(raw)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line, byte = lines.begin_row()
        fields: list[str] = []
        reason = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            reason = Reason.INVALID_CSV
        if not lines.valid:
            reason = Reason.INVALID_UTF8
        if fields or reason:
            yield _Row(line, byte, fields, reason, lines.sample)


class _Lines:
    """The decoded lines of a file for csv.reader, counted as they are taken."""

    def __init__(self, raw: Stream) -> None:
        self._raw = raw
        self._line = 0
        self._byte = 0
        self.valid = True
        self.sample = b""

    def begin_row(self) -> tuple[int, int]:
        """0-based number and position of the line that comes next."""
        self.valid, self.sample = True, b""
        return self._line, self._byte

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        data = self._raw.readline()
        if not data:
            raise StopIteration
        text = data.removeprefix(BYTE_ORDER_MARK) if self._byte == 0 else data
        self._line += 1
        self._byte += len(data)
        self.sample = (self.sample + data[:SAMPLE_BYTES])[:SAMPLE_BYTES]
        try:
            return text.decode()
        except UnicodeDecodeError:
            self.valid = False
            return text.decode(errors="replace")

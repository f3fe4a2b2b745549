"""CSV (.csv, .tsv) with a header line. A quoted field may hold newlines (RFC 4180), so a file is one unit."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

import pyarrow as pa

from pipelines.sources.base import SAMPLE_BYTES, Quarantine, Reason, Unit, stored_bytes
from pipelines.sources.compressed import (
    Stream,
    broken,
    lost_behind,
    open_stream,
    split_compression,
    stored_rate,
)
from pipelines.sources.fields import FieldMap, documents_from_records, line_position
from pipelines.sources.lines import BLOCK_BYTES, BYTE_ORDER_MARK, MAX_RECORD_BYTES
from pipelines.sources.listing import InputFile
from pipelines.sources.records import Record

SNIFFED_BYTES = 1 << 16
"""Of a .tsv file so much is looked at to tell whether it has quotes as CSV has them."""

_FIELD_END = re.compile(r"[\t\r\n]")
_LONE_QUOTE = re.compile(r'(?<=[^"])"(?:"")*(?=[^"])')


def csv_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """The whole file as one unit."""
    return [Unit(file.path, "csv", 0, file.size, 0, file.size, rows=None if file.size else 0)]


def read_csv(file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Documents of the rows below the header; a row of another length than the header's is set aside.

    Without a header that can be used, the whole file is.
    """
    records: list[Record] = []
    first_byte = 0
    with open_stream(file) as stream:
        rows = _rows(stream, _dialect(file))
        header = _header(rows, stream, file, unit, quarantine)
        if header is None:
            return
        end = header.byte + header.size
        for number, row in enumerate(rows):
            if unit.rows is not None and number == unit.rows:
                break
            if row.reaches_the_end and broken(stream):
                break  # there was more of it
            end = row.byte + row.size
            if row.reason is None and len(row.fields) == len(header.fields):
                value = dict(zip(header.fields, row.fields, strict=True))
                records.append((number, row.line, row.byte, row.size, value))
            else:
                quarantine.add(
                    file.path,
                    row.position,
                    row.reason or Reason.INVALID_CSV,
                    row.sample,
                    bytes=stored_bytes(row.byte, row.size, stored_rate(stream)),
                    records=None if row.never_closed else 1,
                )
            if row.byte - first_byte > BLOCK_BYTES:
                yield documents_from_records(records, field_map, file.path, quarantine, stored_rate(stream))
                records, first_byte = [], row.byte
        yield documents_from_records(records, field_map, file.path, quarantine, stored_rate(stream))
        how = broken(stream)
        if how is not None and unit.rows is None:
            lost = lost_behind(stream, unit, end)
            quarantine.add(file.path, f"from byte {end} on", how, bytes=lost, records=None)


def _header(
    rows: "Iterator[_Row]", stream: Stream, file: InputFile, unit: Unit, quarantine: Quarantine
) -> "_Row | None":
    """The names of the columns; None where there are none to use, for which the whole file is set aside."""
    header = next(rows, None)
    how = broken(stream) if header is None or header.reaches_the_end else None
    fault = _header_fault(header) if header and not how else None
    if header is not None and not how and not fault:
        return header
    if how:
        lost = lost_behind(stream, unit, 0)
        quarantine.add(file.path, line_position(0, 0), how, bytes=lost, records=unit.rows)
    elif header and fault:
        quarantine.add(
            file.path, header.position, Reason.CSV_HEADER, fault, bytes=unit.bytes, records=unit.rows
        )
    return None


def count_csv(file: InputFile) -> int:
    """Number of rows below the header, bad ones included; reads the file."""
    with open_stream(file) as stream:
        return max(0, sum(1 for _ in _rows(stream, _dialect(file))) - 1)


class _Dialect(NamedTuple):
    """What stands between the fields of a file, and whether quotes may stand around them."""

    delimiter: str
    quoting: Literal[0, 3]


def _dialect(file: InputFile) -> _Dialect:
    """Commas and quotes; in .tsv tabs, where a quote is mostly a character like others.

    The format of .tsv (text/tab-separated-values of IANA) has no quoting, but programs that write CSV with
    tabs use it: a file is read with it if its beginning shows that it was written so.
    """
    if not split_compression(file.path)[0].endswith(".tsv"):
        return _Dialect(",", csv.QUOTE_MINIMAL)
    with open_stream(file) as stream:
        head = stream.read(SNIFFED_BYTES)
    is_whole = len(head) < SNIFFED_BYTES
    return _Dialect("\t", csv.QUOTE_MINIMAL if _has_csv_quotes(head, is_whole) else csv.QUOTE_NONE)


def _has_csv_quotes(head: bytes, is_whole: bool) -> bool:
    """Whether all quotes in the beginning of a file of tabs are where a writer of CSV would put them."""
    text = head.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "replace")
    if not is_whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    if '"' not in text or any(_LONE_QUOTE.search(field) for field in _FIELD_END.split(text)):
        return False
    csv.field_size_limit(MAX_RECORD_BYTES)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    widths: set[int] = set()
    try:
        widths.update(len(row) for row in rows if row)
    except csv.Error:
        # A quoted field may go on behind the beginning; it has not begun by chance if all columns are quoted.
        return not is_whole and text.startswith('"') and len(widths) <= 1
    return len(widths) == 1


class _Row(NamedTuple):
    """One row, good or bad, and where it begins."""

    line: int
    byte: int
    size: int
    fields: list[str]
    reason: Reason | None
    sample: bytes
    unfinished: bool
    """Whether the file ends before the line does."""
    never_closed: bool
    """Whether a quote in it took all of the file."""

    @property
    def reaches_the_end(self) -> bool:
        """Whether the file may have ended within it."""
        return self.unfinished or self.never_closed

    @property
    def position(self) -> str:
        """Where it begins."""
        return line_position(self.line, self.byte)


def _header_fault(header: _Row) -> str | None:
    """What is wrong with the names of the columns; that some have none is not."""
    if header.reason is not None:
        never_closed = "a quote that is never closed: " if header.never_closed else f"{header.reason}: "
        return never_closed + header.sample.decode("utf-8", "replace")
    several = [name for name, times in Counter(header.fields).items() if times > 1 and name]
    return f"several columns have the name {', '.join(several)}" if several else None


def _rows(stream: Stream, dialect: _Dialect) -> Iterator[_Row]:
    """Rows of a CSV file, the header included, blank lines not."""
    csv.field_size_limit(MAX_RECORD_BYTES)  # the module's own limit is 128 KiB
    lines = _Lines(stream)
    reader = csv.reader(lines, delimiter=dialect.delimiter, quoting=dialect.quoting, strict=True)
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
        if lines.fault:
            reason = lines.fault
        if fields or reason:
            size = lines.byte - byte
            yield _Row(line, byte, size, fields, reason, lines.sample, lines.unfinished, lines.ended)


class _Lines:
    """The decoded lines of a file for csv.reader, counted as they are taken."""

    def __init__(self, stream: Stream) -> None:
        self._lines = _any_lines(stream)
        self._line = 0
        self.byte = 0
        self.begin_row()

    def begin_row(self) -> tuple[int, int]:
        """0-based number and position of the line that comes next."""
        self.fault: Reason | None = None
        self.sample = b""
        self.unfinished = self.ended = False
        return self._line, self.byte

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        data, size = next(self._lines, (b"", 0))
        if not data:
            self.ended = True
            raise StopIteration
        text = data.removeprefix(BYTE_ORDER_MARK) if self.byte == 0 else data
        self._line += 1
        self.byte += size
        self.sample = (self.sample + data[:SAMPLE_BYTES])[:SAMPLE_BYTES]
        self.unfinished = not data.endswith((b"\n", b"\r"))
        if size > len(data):
            self.fault = Reason.TOO_LARGE
        try:
            return text.decode()
        except UnicodeDecodeError:
            self.fault = self.fault or Reason.INVALID_UTF8
            return text.decode(errors="replace")


def _any_lines(stream: Stream) -> Iterator[tuple[bytes, int]]:
    """Lines that end in LF, CRLF or CR, with their ends, and their sizes; of too long ones the beginning."""
    pieces: list[bytes] = []
    held = 0
    waiting = b""  # a CR of which the LF may come
    while block := stream.read(BLOCK_BYTES):
        block = waiting + block
        waiting = b"\r" if block.endswith(b"\r") else b""
        for piece in block.removesuffix(waiting).splitlines(keepends=True):
            if held <= MAX_RECORD_BYTES:
                pieces.append(piece)
            held += len(piece)
            if piece.endswith((b"\n", b"\r")):
                yield _line(pieces, held), held
                pieces, held = [], 0
    pieces.append(waiting)
    held += len(waiting)
    if held:
        yield _line(pieces, held), held


def _line(pieces: list[bytes], held: int) -> bytes:
    return b"".join(pieces) if held <= MAX_RECORD_BYTES else pieces[0][:SAMPLE_BYTES] + b"\n"

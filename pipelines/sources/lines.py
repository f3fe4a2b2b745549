"""Line-oriented input: chunks of whole lines, and cutting a file into ranges of lines by one fast pass."""

import re
import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pipelines.sources.base import SAMPLE_BYTES, Quarantine, Reason, Unit, stored_bytes
from pipelines.sources.compressed import (
    Stream,
    broken,
    lost_behind,
    open_stream,
    split_compression,
    stored_rate,
)
from pipelines.sources.fields import line_position
from pipelines.sources.listing import InputFile

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

BLANK = b" \t\r"
"""A line of these bytes only is blank: a line, but no record."""

BLOCK_BYTES = 1 << 19
"""Read at a time: what is parsed while it is still in the processor's cache is parsed a third faster."""

MAX_RECORD_BYTES = 1 << 27
"""A longer line is set aside unread: a corrupt file or a compression bomb must not exhaust the memory."""

_BLANK_LINE = re.compile(rb"\n[ \t\r]*(?=\n)")


class Chunk(NamedTuple):
    """Whole lines and where they begin."""

    data: bytes
    offset: int
    """Position of the first byte in the (uncompressed) file."""
    oversized: int = 0
    """Of a line that is too long to be read, whose beginning this is, its length."""


Line = tuple[int, int, int, bytes]
"""A line that is a record: its 0-based number among the file's records and among its lines, the position of
its first byte in the (uncompressed) file, and its bytes without the newline."""


class Block(NamedTuple):
    """Lines that are records."""

    lines: list[Line]
    rate: float
    """Bytes of the file for each byte of theirs."""


def line_units(file: InputFile, format_name: str, part_bytes: int) -> list[Unit]:
    """Units of whole lines, found by reading the file once; a compressed or remote file stays whole."""
    whole = Unit(file.path, format_name, 0, file.size, 0, file.size, rows=None if file.size else 0)
    if file.size <= part_bytes or file.remote or split_compression(file.path)[1]:
        return [whole]
    units: list[Unit] = []
    start = row = line = 0
    try:
        with file.open() as raw:
            while (stop := _line_end(raw, start + part_bytes)) > start:
                raw.seek(start)
                rows, lines = count_lines(line_chunks(raw, start, stop))
                units.append(Unit(file.path, format_name, start, stop, row, stop - start, line, rows))
                start, row, line = stop, row + rows, line + lines
    except OSError:
        return [whole]  # reading it will say why
    return units


def read_lines(file: InputFile, unit: Unit, quarantine: Quarantine) -> Iterator[Block]:
    """The lines of a unit that are records, a block at a time.

    A line that is too long is set aside; where a compressed stream is broken, so is what begins at its last,
    unfinished line.
    """
    row, number, end = unit.first_row, unit.first_line, unit.start
    last_row = sys.maxsize if unit.rows is None else row + unit.rows
    unfinished = b""
    compressed = split_compression(file.path)[1] is not None
    with open_stream(file, unit.start) as stream:
        for chunk in line_chunks(stream, unit.start, None if compressed else unit.stop):
            if row >= last_row:
                return
            end = chunk.offset
            if chunk.oversized:
                size = stored_bytes(end, chunk.oversized, stored_rate(stream))
                quarantine.add(
                    file.path, line_position(number, end), Reason.TOO_LARGE, chunk.data, bytes=size
                )
                row, number, end = row + 1, number + 1, end + chunk.oversized
                continue
            if broken(stream) and not chunk.data.endswith(b"\n"):
                unfinished = chunk.data
                break
            found: list[Line] = []
            for data in chunk.data.removesuffix(b"\n").split(b"\n"):
                if data.strip(BLANK):
                    if row == last_row:
                        break
                    found.append((row, number, end, data))
                    row += 1
                number += 1
                end += len(data) + 1
            yield Block(found, stored_rate(stream))
        reason = broken(stream)
    if reason is not None and row < last_row:
        lost = lost_behind(stream, unit, end)
        quarantine.add(file.path, line_position(number, end), reason, unfinished, bytes=lost, records=None)


def count_rows(file: InputFile) -> int:
    """Number of records of a file of lines; reads it."""
    with open_stream(file) as stream:
        return count_lines(line_chunks(stream))[0]


def line_chunks(stream: Stream, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
    """Chunks of whole lines from a stream that stands at byte `start`; a byte order mark at 0 is left out.

    Only a chunk at the end of the file may lack its last newline.
    """
    pieces: list[bytes] = []  # of the line under way, `held` bytes so far, which begins at `offset`
    held, offset, position, skipping = 0, start, start, b""
    while block := stream.read(BLOCK_BYTES if stop is None else min(BLOCK_BYTES, stop - position)):
        position += len(block)
        first_end = block.find(b"\n") + 1
        if skipping or held + (first_end or len(block)) > MAX_RECORD_BYTES:
            skipping = skipping or pieces[0][:SAMPLE_BYTES]
            pieces, held = [], 0
            if not first_end:
                continue
            block = block[first_end:]
            end = position - len(block)
            yield Chunk(skipping, offset, oversized=end - offset)
            offset, skipping = end, b""
        cut = block.rfind(b"\n") + 1
        if cut:
            data = b"".join([*pieces, block[:cut]])
            yield from _without_mark(data, offset)
            pieces, held, offset = [], 0, offset + len(data)
        if cut < len(block):
            pieces.append(block[cut:])
            held += len(block) - cut
    if skipping:
        yield Chunk(skipping, offset, oversized=position - offset)
    if pieces:
        yield from _without_mark(b"".join(pieces), offset)


def _without_mark(data: bytes, offset: int) -> Iterator[Chunk]:
    if offset == 0 and data.startswith(BYTE_ORDER_MARK):
        data, offset = data[len(BYTE_ORDER_MARK) :], len(BYTE_ORDER_MARK)
    if data:
        yield Chunk(data, offset)


def count_lines(chunks: Iterator[Chunk]) -> tuple[int, int]:
    """Number of records (lines that are not blank) and of lines."""
    rows = lines = 0
    for chunk in chunks:
        if chunk.oversized:
            rows, lines = rows + 1, lines + 1
            continue
        framed = b"".join([b"\n", chunk.data, b"" if chunk.data.endswith(b"\n") else b"\n"])
        here = framed.count(b"\n") - 1
        lines += here
        rows += here - len(_BLANK_LINE.findall(framed))
    return rows, lines


def _line_end(file: BinaryIO, position: int) -> int:
    """The first position behind a newline at or after `position - 1`, or the end of the file."""
    file.seek(position - 1)
    while block := file.read(1 << 16):
        if (newline := block.find(b"\n")) >= 0:
            return file.tell() - len(block) + newline + 1
    return min(file.tell(), file.seek(0, 2))

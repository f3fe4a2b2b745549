"""Files that are one JSON array of records: read element by element, so that a large one needs no memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pyarrow as pa

from filters.text.json_elements import ElementEnds
from pipelines.sources.base import SAMPLE_BYTES, Quarantine, Reason, Unit, stored_bytes
from pipelines.sources.compressed import Stream, broken, lost_behind, open_stream, stored_rate
from pipelines.sources.fields import FieldMap, documents_from_records, row_position
from pipelines.sources.json_failure import json_failure
from pipelines.sources.lines import BLOCK_BYTES, BYTE_ORDER_MARK, MAX_RECORD_BYTES
from pipelines.sources.listing import InputFile
from pipelines.sources.records import Record


class _Element(NamedTuple):
    """An element of an array, or what stands in the place of one."""

    byte: int
    """Where it begins."""
    size: int
    """Its bytes, with white space and the comma behind it."""
    data: bytes
    """Without white space around it; of one that is too large, the beginning."""
    is_whole: bool = True
    """Whether it ends with a comma or the array's bracket."""
    is_behind: bool = False
    """Whether it stands behind the array."""


def begins_an_array(file: InputFile) -> bool:
    """Whether the first character of a file is the bracket of an array."""
    try:
        with open_stream(file) as stream:
            return stream.read(4096).removeprefix(BYTE_ORDER_MARK).lstrip()[:1] == b"["
    except OSError:
        return False  # reading it will say why


def array_unit(file: InputFile) -> Unit:
    """The whole file."""
    return Unit(file.path, "json array", 0, file.size, 0, file.size)


def read_json_array(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of the elements; one that cannot be parsed is set aside and the next one goes on.

    An array that does not end is set aside from its last comma on.
    """
    row = 0
    with open_stream(file) as stream:
        for elements in _blocks(stream):
            records: list[Record] = []
            rate = stored_rate(stream)
            for element in elements:
                if unit.rows is not None and row == unit.rows:
                    break
                if not element.is_whole:
                    _set_rest_aside(file, unit, element, row, stream, quarantine)
                    continue
                _parse(file, element, row, rate, records, quarantine)
                row += 1
            yield documents_from_records(records, field_map, file.path, quarantine, rate)
            if unit.rows is not None and row == unit.rows:
                return


def count_json_array(file: InputFile) -> int:
    """Number of elements."""
    with open_stream(file) as stream:
        return sum(element.is_whole for elements in _blocks(stream) for element in elements)


def _parse(
    file: InputFile, element: _Element, row: int, rate: float, records: list[Record], quarantine: Quarantine
) -> None:
    position = _position(row, element)
    lost = stored_bytes(element.byte, element.size, rate)
    if element.size > MAX_RECORD_BYTES:
        quarantine.add(file.path, position, Reason.TOO_LARGE, element.data, bytes=lost)
        return
    try:
        value = orjson.loads(element.data)
    except orjson.JSONDecodeError:
        quarantine.add(file.path, position, json_failure(element.data), element.data, bytes=lost)
        return
    records.append((row, -1, element.byte, element.size, value))


def _position(row: int, element: _Element) -> str:
    return f"{row_position(row)}, byte {element.byte}"


def _set_rest_aside(
    file: InputFile, unit: Unit, rest: _Element, row: int, stream: Stream, quarantine: Quarantine
) -> None:
    how = broken(stream)
    unended = rest.size if rest.is_behind else unit.whole_file
    lost = lost_behind(stream, unit, rest.byte) if how else unended
    quarantine.add(
        file.path,
        _position(row, rest),
        how or Reason.INVALID_JSON,
        rest.data,
        bytes=lost,
        records=None,
    )


def _blocks(stream: Stream) -> Iterator[list[_Element]]:
    """The elements, a block at a time; at the end what belongs to none, where there is something."""
    ends = ElementEnds()
    pieces: list[bytes] = []  # of the element under way, of which `held` bytes were read
    position = held = 0
    while block := stream.read(BLOCK_BYTES):
        first = block.index(b"[") if position == 0 else 0
        places = [] if position and ends.is_closed else (ends.find(block[first:]) + first).tolist()
        previous = first + 1 if position == 0 else 0
        found = []
        for end in places:
            size = held + end + 1 - previous
            data = b"".join([*pieces, block[previous:end]]).strip()
            if data:
                found.append(_Element(position + end + 1 - size, size, data))
            pieces, held, previous = [], 0, end + 1
        yield found
        pieces.append(block[previous:])
        held += len(block) - previous
        if held > MAX_RECORD_BYTES:
            pieces = [pieces[0][:SAMPLE_BYTES]]
        position += len(block)
    rest = b"".join(pieces).strip()
    if rest or not ends.is_closed or broken(stream):
        yield [_Element(position - held, held, rest, is_whole=False, is_behind=ends.is_closed)]

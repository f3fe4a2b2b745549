"""JSON lines and files that are one JSON array of records."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from pipelines.sources import lines
from pipelines.sources.base import SAMPLE_BYTES, Quarantine, Reason, Shares, Unit, stored_bytes
from pipelines.sources.compressed import TRUNCATED, broken, lost_behind, open_stream, split_compression
from pipelines.sources.fields import FieldMap, Record, documents_from_records, line_position
from pipelines.sources.listing import InputFile

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ARRAY_BATCH = 4096


def json_failure(record: bytes) -> Reason:
    """Why orjson refuses a record: its bytes, its escapes of lone surrogates, or its syntax."""
    try:
        record.decode()
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    try:
        orjson.loads(_SURROGATE.sub(rb"\\ufffd", record))
    except orjson.JSONDecodeError:
        return Reason.INVALID_JSON
    return Reason.INVALID_UNICODE


def json_line_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Ranges of lines; one unit if the file is compressed or remote, or is one JSON array."""
    if split_compression(file.path)[0].endswith(".json") and _begins_an_array(file):
        return [Unit(file.path, "json array", 0, file.size, 0, file.size)]
    return lines.line_units(file, "jsonl", part_bytes)


def read_json_lines(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of JSON lines; a line that cannot be parsed is set aside and the next one goes on."""
    for block in lines.read_lines(file, unit, quarantine):
        records = _parsed(block, file, quarantine)
        yield documents_from_records(records, field_map, file.path, quarantine, block.rate)


def read_json_array(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of a file that is one array; it is parsed as a whole, and set aside as a whole."""
    values = _load_array(file, unit, quarantine)[: unit.rows]
    sizes = Shares(unit.bytes, len(values))
    for first in range(0, len(values), _ARRAY_BATCH):
        records = (
            (row, -1, -1, sizes.of(row), value)
            for row, value in enumerate(values[first : first + _ARRAY_BATCH], first)
        )
        yield documents_from_records(records, field_map, file.path, quarantine)


def count_json_array(file: InputFile) -> int:
    """Number of records of a file that is one array."""
    return len(_load_array(file, json_line_units(file, 0)[0], Quarantine()))


def _parsed(block: lines.Block, file: InputFile, quarantine: Quarantine) -> Iterator[Record]:
    for row, number, byte, data in block.lines:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            lost = stored_bytes(byte, len(data) + 1, block.rate)
            quarantine.add(file.path, line_position(number, byte), json_failure(data), data, bytes=lost)
            continue
        yield (row, number, byte, len(data) + 1, value)


def _load_array(file: InputFile, unit: Unit, quarantine: Quarantine) -> list[Any]:
    with open_stream(file) as stream:
        data = stream.read(lines.MAX_RECORD_BYTES + 1).removeprefix(lines.BYTE_ORDER_MARK)
        how = broken(stream)
    if len(data) > lines.MAX_RECORD_BYTES:
        quarantine.add(file.path, line_position(0, 0), Reason.TOO_LARGE, data, bytes=unit.bytes, records=None)
        return []
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        byte = _place(data, error)
        cut = how in TRUNCATED or byte >= len(data)
        quarantine.add(
            file.path,
            line_position(data.count(b"\n", 0, byte), byte),
            how or json_failure(data),
            data[max(0, byte - SAMPLE_BYTES // 2) :],
            bytes=unit.whole_file if cut else unit.bytes,
            records=None,
        )
        return []
    if how is not None:  # it broke behind the array
        lost = lost_behind(stream, unit, 0)
        quarantine.add(file.path, line_position(0, 0), how, data, bytes=lost, records=None)
        return []
    return values if isinstance(values, list) else []


def _place(data: bytes, error: orjson.JSONDecodeError) -> int:
    """The byte at which a text cannot be read on."""
    try:
        return len(data.decode()[: error.pos].encode())
    except UnicodeDecodeError as undecodable:
        return undecodable.start


def _begins_an_array(file: InputFile) -> bool:
    try:
        with open_stream(file) as stream:
            return stream.read(4096).removeprefix(lines.BYTE_ORDER_MARK).lstrip()[:1] == b"["
    except OSError:
        return False  # reading it will say why

"""JSON lines and files that are one JSON array of records."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from pipelines.sources import lines
from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.compressed import Decompressed, open_stream, split_compression
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
    for found in lines.read_lines(file, unit, quarantine):
        yield documents_from_records(_parsed(found, file, quarantine), field_map, file.path, quarantine)


def read_json_array(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of a file that is one array; it is parsed as a whole, and set aside as a whole."""
    values = _load_array(file, quarantine)[: unit.rows]
    for first in range(0, len(values), _ARRAY_BATCH):
        records = [
            (first + index, -1, -1, value) for index, value in enumerate(values[first : first + _ARRAY_BATCH])
        ]
        yield documents_from_records(records, field_map, file.path, quarantine)


def count_json_array(file: InputFile) -> int:
    """Number of records of a file that is one array."""
    return len(_load_array(file, Quarantine()))


def _parsed(found: list[lines.Line], file: InputFile, quarantine: Quarantine) -> Iterator[Record]:
    for row, number, byte, data in found:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            quarantine.add(file.path, line_position(number, byte), json_failure(data), data)
            continue
        yield (row, number, byte, value)


def _load_array(file: InputFile, quarantine: Quarantine) -> list[Any]:
    with open_stream(file) as stream:
        data = stream.read(lines.MAX_RECORD_BYTES + 1).removeprefix(lines.BYTE_ORDER_MARK)
        broken = stream.broken if isinstance(stream, Decompressed) else None
    if len(data) > lines.MAX_RECORD_BYTES:
        quarantine.add(file.path, line_position(0, 0), Reason.TOO_LARGE, data)
        return []
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        reason = broken or json_failure(data)
        quarantine.add(file.path, f"line {error.lineno}", reason, data)
        return []
    if broken is not None:
        quarantine.add(file.path, line_position(0, 0), broken, data)
        return []
    return values if isinstance(values, list) else []


def _begins_an_array(file: InputFile) -> bool:
    try:
        with open_stream(file) as stream:
            return stream.read(4096).removeprefix(lines.BYTE_ORDER_MARK).lstrip()[:1] == b"["
    except OSError:
        return False  # reading it will say why

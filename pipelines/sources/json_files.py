"""JSON lines."""

from collections.abc import Iterator

import orjson
import pyarrow as pa

from pipelines.sources import lines
from pipelines.sources.base import Quarantine, Unit, stored_bytes
from pipelines.sources.compressed import split_compression
from pipelines.sources.fields import FieldMap, documents_from_records, line_position
from pipelines.sources.json_arrays import array_unit, begins_an_array
from pipelines.sources.json_failure import json_failure
from pipelines.sources.listing import InputFile
from pipelines.sources.records import Record


def json_line_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Ranges of lines; one unit if the file is compressed or remote, or is one JSON array."""
    if split_compression(file.path)[0].endswith(".json") and begins_an_array(file):
        return [array_unit(file)]
    return lines.line_units(file, "jsonl", part_bytes)


def read_json_lines(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Documents of JSON lines; a line that cannot be parsed is set aside and the next one goes on."""
    for block in lines.read_lines(file, unit, quarantine):
        records = _parsed(block, file, quarantine)
        yield documents_from_records(records, field_map, file.path, quarantine, block.rate)


def _parsed(block: lines.Block, file: InputFile, quarantine: Quarantine) -> Iterator[Record]:
    for row, number, byte, data in block.lines:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            lost = stored_bytes(byte, len(data) + 1, block.rate)
            quarantine.add(file.path, line_position(number, byte), json_failure(data), data, bytes=lost)
            continue
        yield (row, number, byte, len(data) + 1, value)

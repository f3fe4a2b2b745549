"""Plain text: a file is one document, or each of its lines is."""

from collections.abc import Iterator

import pyarrow as pa

from pipelines.sources.base import Quarantine, Reason, Unit, stored_bytes
from pipelines.sources.fields import FieldMap, documents_from_records, line_position
from pipelines.sources.lines import line_units, read_lines
from pipelines.sources.listing import InputFile
from pipelines.sources.whole_files import whole_content, whole_file_units

text_file_units = whole_file_units("text file")


def read_text_file(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The file's whole content as one document, unchanged except for a byte order mark."""
    data = whole_content(file, unit, quarantine)
    if data is None:
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        line, byte = _undecodable_line(data)
        quarantine.add(
            file.path, line_position(line, byte), Reason.INVALID_UTF8, data[byte:], bytes=unit.bytes
        )
        return
    record = (0, -1, -1, unit.bytes, {"text": text})
    yield documents_from_records([record], field_map.of_plain_text(), file.path, quarantine)


def text_line_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Ranges of lines, each line being a document."""
    return line_units(file, "text lines", part_bytes)


def read_text_lines(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """Each line that is not blank as a document, without its line end."""
    for block in read_lines(file, unit, quarantine):
        records = []
        for row, number, byte, data in block.lines:
            size = len(data) + 1
            try:
                records.append((row, number, byte, size, {"text": data.decode().removesuffix("\r")}))
            except UnicodeDecodeError:
                position, lost = line_position(number, byte), stored_bytes(byte, size, block.rate)
                quarantine.add(file.path, position, Reason.INVALID_UTF8, data, bytes=lost)
        yield documents_from_records(records, field_map.of_plain_text(), file.path, quarantine)


def _undecodable_line(data: bytes) -> tuple[int, int]:
    """0-based number and position of the first line that is not UTF-8."""
    byte = 0
    for number, line in enumerate(data.split(b"\n")):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number, byte
        byte += len(line) + 1
    raise AssertionError("a newline is never part of a longer UTF-8 sequence")

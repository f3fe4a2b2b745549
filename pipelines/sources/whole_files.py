"""Files that are one document each, and are read into memory for that."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.compressed import broken, lost_behind, open_stream
from pipelines.sources.fields import line_position
from pipelines.sources.lines import MAX_RECORD_BYTES
from pipelines.sources.listing import InputFile

BEGINNING = line_position(0, 0)


def whole_file_units(format_name: str) -> Callable[[InputFile, int], list[Unit]]:
    """How files of a format are cut: not at all. An empty one has no document."""

    def units(file: InputFile, part_bytes: int) -> list[Unit]:
        return [Unit(file.path, format_name, 0, file.size, 0, file.size, rows=1 if file.size else 0)]

    return units


def whole_content(
    file: InputFile,
    unit: Unit,
    quarantine: Quarantine,
    *,
    place: str = BEGINNING,
    largest: int = MAX_RECORD_BYTES,
) -> bytes | None:
    """The content of a file, uncompressed.

    None where there is none, or where it was set aside, at `place`: broken, or more than `largest` bytes.
    """
    if unit.rows == 0:
        return None
    with open_stream(file) as stream:
        content = stream.read(largest + 1)
        how = broken(stream)
    if how is not None:
        quarantine.add(file.path, place, how, content, bytes=lost_behind(stream, unit, 0))
    elif len(content) > largest:
        quarantine.add(file.path, place, Reason.TOO_LARGE, content, bytes=unit.bytes)
    else:
        return content
    return None

"""Files that are one document each, and are read into memory for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.compressed import broken, lost_behind, open_stream
from pipelines.sources.fields import FieldMap, Fields, documents_from_records
from pipelines.sources.lines import MAX_RECORD_BYTES
from pipelines.sources.listing import InputFile

VERSION = 2
"""To be raised when the same books, papers and treebanks give other documents."""

DESCRIBED = Fields(id="id", url=None, language="language", license="license")
"""Documents that say of themselves which language and rights they have."""

Parse = Callable[[bytes], dict[str, Any]]
"""The record of a file's content. Raises NoDocument."""


class NoDocument(Exception):
    """A file that is no document, and why."""

    def __init__(self, reason: Reason, why: str = "") -> None:
        super().__init__(why)
        self.reason = reason


def units_of(format_name: str) -> Callable[[InputFile, int], list[Unit]]:
    """How files of a format are cut: not at all."""

    def units(file: InputFile, part_bytes: int) -> list[Unit]:
        return [Unit(file.path, format_name, 0, file.size, 0, file.size, rows=1 if file.size else 0)]

    return units


def read_whole(
    parse: Parse, file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The one document of a file."""
    if unit.rows == 0:
        return
    with open_stream(file) as stream:
        content = stream.read(MAX_RECORD_BYTES + 1)
        how = broken(stream)
    if how is not None:
        quarantine.add(file.path, "", how, bytes=lost_behind(stream, unit, 0))
    elif len(content) > MAX_RECORD_BYTES:
        quarantine.add(file.path, "", Reason.TOO_LARGE, bytes=unit.bytes)
    else:
        try:
            record = parse(content)
        except NoDocument as error:
            quarantine.add(file.path, "", error.reason, str(error), bytes=unit.bytes)
            return
        described = FieldMap(field_map.labels, DESCRIBED)
        yield documents_from_records([(0, -1, -1, unit.bytes, record)], described, file.path, quarantine)

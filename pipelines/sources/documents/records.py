"""Books and papers: files whose content becomes the record of one document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.fields import FieldMap, Fields, documents_from_records
from pipelines.sources.listing import InputFile
from pipelines.sources.whole_files import whole_content

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


def read_whole(
    parse: Parse, file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The one document of a file."""
    content = whole_content(file, unit, quarantine, place="")
    if content is None:
        return
    try:
        record = parse(content)
    except NoDocument as error:
        quarantine.add(file.path, "", error.reason, str(error), bytes=unit.bytes)
        return
    described = FieldMap(field_map.labels, DESCRIBED)
    yield documents_from_records([(0, -1, -1, unit.bytes, record)], described, file.path, quarantine)

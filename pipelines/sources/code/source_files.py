"""A source file as one document, with its programming language and the licence that its header names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipelines.sources.base import Labels, Quarantine, Reason, Unit, part_table
from pipelines.sources.code import content as content_rules
from pipelines.sources.code import languages
from pipelines.sources.code.content import decoded, is_binary
from pipelines.sources.code.languages import language_of
from pipelines.sources.code.table import linguist
from pipelines.sources.compressed import split_compression
from pipelines.sources.fields import FieldMap, metadata_json
from pipelines.sources.licences import header
from pipelines.sources.licences.header import licence_of_header
from pipelines.sources.listing import InputFile
from pipelines.sources.whole_files import BEGINNING, whole_content, whole_file_units

FORMAT = "source file"
HEADER_LINES = 60
HEADER_CHARACTERS = 8_000
"""Of a file so much is searched for a licence: further down, code may speak of licences."""


def versions() -> dict[str, Any]:
    """What decides the documents of source files, for a source's identity."""
    return {
        "linguist": linguist()["linguist"],
        "languages": languages.VERSION,
        "character_sets": content_rules.VERSION,
        "licence_headers": header.VERSION,
    }


source_file_units = whole_file_units(FORMAT)


def read_source_file(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The file's whole content as one document; one that is binary is set aside."""
    content = whole_content(file, unit, quarantine)
    if content is None:
        return
    document = source_document(file.path, content, quarantine, unit.bytes)
    if document is not None:
        text, metadata = document
        labels = field_map.labels
        yield part_table(
            labels,
            [document_id(labels, f"{file.path}:0")],
            [text],
            [metadata_json({"path": file.path, **metadata})],
            licenses=[header_licence(text)],
        )


def header_licence(text: str) -> str | None:
    """The licence that the first lines of a source file name."""
    lines = text[:HEADER_CHARACTERS].split("\n", HEADER_LINES)[:HEADER_LINES]
    return licence_of_header("\n".join(lines))


def document_id(labels: Labels, place: str) -> str:
    """The id of the document from a place within its source."""
    return f"{labels.source}/{place}" if labels.source else place


def source_document(
    path: str, content: bytes, quarantine: Quarantine, size: int
) -> tuple[str, dict[str, Any]] | None:
    """Text and metadata of a source file; None if it is none and was set aside."""
    text = None if is_binary(content) else decoded(content)
    if text is None:
        quarantine.add(path, BEGINNING, Reason.BINARY, content, bytes=size)
        return None
    uncompressed, compression = split_compression(path)
    language = language_of(uncompressed if compression else path, content)
    metadata = {"programming_language": language.name} if language else {}
    return text.text, metadata if text.encoding == "utf-8" else metadata | {"encoding": text.encoding}

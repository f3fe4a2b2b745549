"""The formats of files: a new one is a module with two functions, and one line in each table here."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from pipelines.errors import WorkError
from pipelines.execution.fingerprint import library_versions
from pipelines.sources import software_heritage
from pipelines.sources.archives import members as archives
from pipelines.sources.archives.streams import Archive
from pipelines.sources.archives.tar_files import tar_members, tar_units
from pipelines.sources.archives.zip_files import zip_members, zip_units
from pipelines.sources.base import Labels, Quarantine, Reason, SourceOptions, Unit, batched
from pipelines.sources.code import source_files
from pipelines.sources.code.languages import code_suffix
from pipelines.sources.compressed import COMPRESSIONS, SHORT_SUFFIXES, split_compression
from pipelines.sources.content import content_hash
from pipelines.sources.conversations import FORMATS as CONVERSATIONS
from pipelines.sources.conversations import Messages
from pipelines.sources.csv_files import count_csv, csv_units, read_csv
from pipelines.sources.documents import records as documents
from pipelines.sources.documents.conllu import conllu_units, count_conllu, read_conllu
from pipelines.sources.documents.epub import parse_epub
from pipelines.sources.documents.pdf import parse_pdf
from pipelines.sources.documents.records import read_whole
from pipelines.sources.fields import FieldMap, Fields
from pipelines.sources.json_arrays import count_json_array, read_json_array
from pipelines.sources.json_files import json_line_units, read_json_lines
from pipelines.sources.kinds import TEXT_SUFFIXES, about_the_data, unread_suffix
from pipelines.sources.limit import CountRecords, Cut, Limit
from pipelines.sources.lines import count_rows
from pipelines.sources.listing import InputFile
from pipelines.sources.records import Preparation, Value
from pipelines.sources.remote.secrets import masked
from pipelines.sources.software_heritage import SoftwareHeritage
from pipelines.sources.tables import (
    TO_THE_END,
    arrow_units,
    count_arrow,
    count_parquet,
    parquet_units,
    read_arrow,
    read_parquet,
)
from pipelines.sources.text_files import read_text_file, read_text_lines, text_file_units, text_line_units
from pipelines.sources.web.identity import PAGE_SUFFIXES, WEB_ARCHIVE_SUFFIXES, pages_identity
from pipelines.sources.web.options import READ_AS_USUAL, Pages
from pipelines.sources.web.read import count_archive, count_archive_unit, page_units, read_archive, read_page
from pipelines.sources.web.units import web_archive_units
from pipelines.sources.whole_files import whole_file_units

Units = Callable[[InputFile, int], list[Unit]]
Read = Callable[[InputFile, Unit, FieldMap, Quarantine], Iterator[pa.Table]]
Count = Callable[[InputFile], int]
CountUnit = Callable[[InputFile, Unit], int]

VERSION = 5
"""To be raised when the same files give other documents."""

UNITS: dict[str, Units] = {
    ".parquet": parquet_units,
    ".arrow": arrow_units,
    ".jsonl": json_line_units,
    ".json": json_line_units,
    ".csv": csv_units,
    ".tsv": csv_units,
    ".txt": text_file_units,
    ".md": text_file_units,
    ".epub": whole_file_units("epub"),
    ".pdf": whole_file_units("pdf"),
    ".conllu": conllu_units,
    ".zip": zip_units,
    ".tar": tar_units,
    **dict.fromkeys(WEB_ARCHIVE_SUFFIXES, web_archive_units),
    **dict.fromkeys(PAGE_SUFFIXES, page_units),
}
"""How a file with this suffix is cut into units, which say the format that reads them."""

COLUMNAR_SUFFIXES = (".parquet", ".arrow")
NEVER_COMPRESSED = (*COLUMNAR_SUFFIXES, ".zip")
"""Not read when the file as a whole is compressed: they are read from within."""
ARCHIVE_SUFFIXES = (".zip", ".tar")
DOCUMENT_SUFFIXES = (".epub", ".pdf", ".conllu")

READABLE = (
    f"{' '.join(UNITS)} (all but {', '.join(NEVER_COMPRESSED)} also with {' '.join(COMPRESSIONS)}; "
    f"{' '.join(SHORT_SUFFIXES)}), source code"
)
"""The suffixes in words, for hints."""


@dataclass(frozen=True)
class Format:
    """How units of one format are read, and counted where planning does not know their records."""

    read: Read
    count: Count | None = None
    count_unit: CountUnit | None = None
    """Instead of `count`, where a unit whose records are not known may be a part of a file."""
    is_document: bool = False
    """Whether a file is one document."""


FORMATS: dict[str, Format] = {
    "parquet": Format(read_parquet, count_parquet),
    "arrow": Format(read_arrow, count_arrow),
    "jsonl": Format(read_json_lines, count_rows),
    "json array": Format(read_json_array, count_json_array),
    "csv": Format(read_csv, count_csv),
    "text file": Format(read_text_file, is_document=True),
    "text lines": Format(read_text_lines, count_rows),
    "epub": Format(partial(read_whole, parse_epub), is_document=True),
    "pdf": Format(partial(read_whole, parse_pdf), is_document=True),
    "conllu": Format(read_conllu, count_conllu),
    source_files.FORMAT: Format(source_files.read_source_file, is_document=True),
    "web archive": Format(read_archive, count_archive, count_archive_unit),
    "web page": Format(read_page, is_document=True),
}


OF_TEXT_LINES = " of text lines"
"""Ends the formats of archives in whose text files each line is a document."""

Members = Callable[[Archive, InputFile, Unit], Iterator[archives.Found]]


def version_of(suffixes: set[str | None]) -> dict[str, Any]:
    """The versions of what decides the documents of files with these suffixes."""
    has_archives = bool(suffixes.intersection(ARCHIVE_SUFFIXES))
    found: dict[str, Any] = {"formats": VERSION}
    if has_archives:
        found["archives"] = archives.VERSION
    if has_archives or suffixes.intersection(DOCUMENT_SUFFIXES):
        found["documents"] = documents.VERSION
    if has_archives or ".pdf" in suffixes:
        found |= library_versions("pypdfium2")
    if has_archives or suffixes - UNITS.keys():
        found |= source_files.versions()
    return found


def suffix_of(path: str) -> str | None:
    """The suffix by which a file is read, without that of its compression; None if nothing reads it.

    A suffix in `UNITS` goes before that of a programming language.
    """
    name, compression = split_compression(path)
    suffix = next((suffix for suffix in UNITS if name.endswith(suffix)), None) or code_suffix(name)
    return None if compression and suffix in NEVER_COMPRESSED else suffix


def plan_files(files: Iterable[InputFile], part_bytes: int, text_lines: bool = False) -> Iterator[Unit]:
    """The units of files that have a format, file by file as they are asked for."""
    for file in files:
        suffix = suffix_of(file.path)
        assert suffix is not None, "other files are passed over"
        if text_lines and suffix in TEXT_SUFFIXES:
            yield from text_line_units(file, part_bytes)
        elif text_lines and suffix in ARCHIVE_SUFFIXES:
            for unit in UNITS[suffix](file, part_bytes):
                yield replace(unit, format=unit.format + OF_TEXT_LINES)
        else:
            yield from UNITS.get(suffix, source_files.source_file_units)(file, part_bytes)


def count_records(files: Iterable[InputFile]) -> CountRecords:
    """Counts the records of units of these files by reading them."""
    by_path = {file.path: file for file in files}

    def count(unit: Unit) -> int:
        known = FORMATS.get(unit.format, Format(read_text_file))
        try:
            if known.count_unit is not None:
                return known.count_unit(by_path[unit.file], unit)
            return known.count(by_path[unit.file]) if known.count is not None else 0
        except (OSError, pa.ArrowInvalid):
            return 0  # reading it will say why

    return count


def _archive(members: Members, text_lines: bool) -> Format:
    """The format of archives whose members are found by `members`."""

    def read(file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine) -> Iterator[pa.Table]:
        formats = archives.Formats(
            units=lambda member: plan_files([member], sys.maxsize, text_lines),
            read=lambda member, part, bad: FORMATS[part.format].read(member, part, field_map, bad),
            unread_kind=unread_kind,
            is_archive=lambda path: suffix_of(path) in ARCHIVE_SUFFIXES,
            is_read_in_order=lambda path: suffix_of(path) not in COLUMNAR_SUFFIXES,
        )
        with file.open() as raw:
            archive = Archive(raw)
            found = members(archive, file, unit)
            yield from archives.read_members(archive, found, file, unit, formats, quarantine)

    def count(file: InputFile, unit: Unit) -> int:
        lost = Quarantine(write=lambda _: None)
        tables = read(file, unit, FieldMap(Labels("", ""), Fields()), lost)
        return sum(int(table.num_rows) for table in tables) + lost.lost_records

    return Format(read, count_unit=count)


def unread_kind(path: str) -> str | None:
    """What a file in an archive is that is no document; None of one that is."""
    suffix = suffix_of(path)
    return about_the_data(path, suffix) or (unread_suffix(path) if suffix is None else None)


for _name, _members in (("zip", zip_members), ("tar", tar_members)):
    FORMATS[_name] = _archive(_members, text_lines=False)
    FORMATS[_name + OF_TEXT_LINES] = _archive(_members, text_lines=True)


def planned(units: list[Unit], files: Sequence[InputFile]) -> list[Unit]:
    """The units with what their files are and weigh.

    Raises:
        WorkError: A file is no longer the one that was listed, so the units may be of another.
    """
    contents = {file.path: file.version for file in files}
    for file in files:
        if not file.remote and contents[file.path] not in (None, _hash(file)):
            raise _changed(file)
    return [replace(unit, content=contents[unit.file]) for unit in weighed(units, files)]


def weighed(units: list[Unit], files: Iterable[InputFile]) -> list[Unit]:
    """The units with the mean of their files.

    A file that could not be looked into weighs by its size as others of its format do.
    """
    sizes = {file.path: file.size for file in files}
    unknown = {unit.file for unit in units if unit.stop == TO_THE_END}
    counted: Counter[str] = Counter()
    looked_into: dict[str, Counter[str]] = {unit.format: Counter() for unit in units}
    for unit in units:
        counted[unit.file] += unit.bytes
        if unit.file not in unknown:
            looked_into[unit.format][unit.file] += unit.bytes
    known = [size for file, size in counted.items() if size and file not in unknown]
    mean = sum(known) // len(known) if known else max(counted.values(), default=0)

    def weigh(unit: Unit) -> Unit:
        if unit.file not in unknown:
            return replace(unit, mean_file=mean)
        same = looked_into[unit.format]
        stored = sum(sizes[file] for file in same)
        size = unit.bytes * same.total() // stored if stored else unit.bytes
        return replace(unit, bytes=size, mean_file=mean)

    return [weigh(unit) for unit in units]


def read_unit(file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Documents of a unit.

    A file that cannot be read, or not to its end, is set aside. Other failures of a remote file are raised,
    since a network may work again when the task is retried.

    Raises:
        WorkError: The file is no longer the one that was listed, or holds other records than were planned.
    """
    return batched(read_tables(file, unit, field_map, quarantine))


def read_tables(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The same in tables as small as the format makes them, which hold what the field map says."""
    tables = FORMATS[unit.format].read(file, unit, field_map, quarantine)
    read = 0  # records, whatever became of them
    ended = False
    while not ended:
        before = quarantine.without_document
        try:
            table = next(tables, None)
        except (OSError, pa.ArrowInvalid) as error:
            table = None
            _set_aside(file, unit, read + quarantine.without_document - before, error, quarantine)
        read += quarantine.without_document - before
        ended = table is None
        if table is not None:
            read += table.num_rows
            yield table
    _check_unchanged(file, unit, None if field_map.preparation else read)


def _set_aside(
    file: InputFile, unit: Unit, read: int, error: OSError | pa.ArrowInvalid, quarantine: Quarantine
) -> None:
    """Set aside what is behind the records that were read of a unit, or raise the error."""
    denied = isinstance(error, PermissionError)
    if file.remote and not denied and not isinstance(error, FileNotFoundError):
        raise error
    lost, records = unit.without(read)
    reason = Reason.PERMISSION if denied else Reason.UNREADABLE
    why = "" if denied else str(error.args[-1] if error.args else error)
    quarantine.add(unit.file, "", reason, why, bytes=lost, records=records)


def _check_unchanged(file: InputFile, unit: Unit, read: int | None) -> None:
    """`read`: how many records; None where they do not tell how many there were."""
    planned = unit.rows is None or read is None or read == unit.rows
    if planned and (file.remote or unit.content is None or _hash(file) == unit.content):
        return  # a remote file is compared as it is read
    raise _changed(file, "" if planned else f": it was to have {unit.rows:,} records here, and had {read:,}")


def _changed(file: InputFile, found: str = "") -> WorkError:
    return WorkError(
        f"changed while it was read{found}",
        file=masked(file.location),
        hint="Run again once it is at rest: it is read anew then.",
    )


def _hash(file: InputFile) -> str | None:
    try:
        return content_hash(file.location)
    except OSError:
        return None


class RecordOptions(SourceOptions):
    """What a recipe can say about the records of a source's files."""

    fields: Fields = Field(
        default=Fields(), description="Which field is what, e.g. {text: body, id: doc, url: meta.url}."
    )
    messages: Messages | None = Field(
        default=None,
        description="The conversation: a field with a list of {role, content} or {from, value}; the fields "
        "of a question and its answer, {user: [instruction, input], assistant: output}; or a format: "
        f"{', '.join(CONVERSATIONS)}.",
    )
    text_document: Literal["file", "line"] = Field(
        default="file", description="What a document is in .txt and .md files: the file, or each line."
    )
    pages: Pages = Field(default=READ_AS_USUAL, description="How the text of web pages is found.")

    records: str | None = Field(
        default=None, description="The field with a list of the true records, e.g. the files of a repository."
    )
    where: dict[str, Value | tuple[Value, ...]] = Field(
        default={}, description="Read only records with these values, e.g. {language: [Python, C]}."
    )
    contents: Literal["software_heritage"] | None = Field(
        default=None, description="The store that holds the text of records which have its id alone."
    )

    @model_validator(mode="after")
    def _limit_can_be_counted(self) -> Self:
        if self.contents and self.limit and Limit.parse(self.limit).bytes:
            raise ValueError(
                f"`limit` of a source whose contents lie elsewhere is written in documents, such as "
                f"'100k documents', not {self.limit!r}"
            )
        return self

    def field_map(self, name: str) -> FieldMap:
        """How records become documents of the source called `name`."""
        contents = SoftwareHeritage() if self.contents else None
        preparation = Preparation(self.records, self.where, contents)
        return FieldMap(self.labels(name), self.fields, self.messages, preparation, self.pages)

    def preview_map(self, name: str) -> FieldMap:
        """The same for a first look, which asks no model."""
        return replace(self.field_map(name), pages=self.pages.without_model())

    def identity(self, paths: Iterable[str]) -> dict[str, Any]:
        """What decides the documents of files called so, besides their content and these options."""
        suffixes = {suffix_of(path) for path in paths}
        found = {"version": version_of(suffixes)} | self.sampling()
        if suffixes.intersection(WEB_ARCHIVE_SUFFIXES + PAGE_SUFFIXES + ARCHIVE_SUFFIXES):
            found |= pages_identity(self.pages)
        return found | ({"contents": software_heritage.VERSION} if self.contents else {})

    def plan(self, files: Sequence[InputFile], part_bytes: int) -> list[Unit]:
        """The units of these files, within the source's limit."""

        def cut(file: InputFile) -> Cut:
            return lambda size: list(plan_files([file], size, self.text_document == "line"))

        cuts = {file.path: cut(file) for file in files}
        total = sum(file.size for file in files)
        return planned(self.limited(cuts, total, part_bytes, count_records(files)), files)

"""The items of a benchmark that lies in files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import override

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import BadRecord, Labels, Quarantine, Reason
from pipelines.sources.benchmark_fields import ItemFields
from pipelines.sources.benchmark_items import ItemColumns, RecordFields
from pipelines.sources.content import Contents
from pipelines.sources.fields import FieldMap, Fields
from pipelines.sources.files import FilesConfig, FilesSource
from pipelines.sources.formats import plan_files, read_tables
from pipelines.sources.listing import InputFile
from pipelines.sources.refusals import field_names, missing_field

SHOWN_FIELDS = 12
_SPLIT = re.compile(r"(?<![^\W\d_])(train|test|validation|valid|val|dev)(?![^\W\d_])", re.IGNORECASE)
_SPLITS = {"valid": "validation", "val": "validation"}


@dataclass(frozen=True, kw_only=True)
class ItemMap(FieldMap):
    """How the records of files become items, for the readers of formats."""

    labels: Labels = field(default_factory=lambda: Labels("", ""))
    fields: Fields = field(default_factory=Fields)
    benchmark: str
    of_records: RecordFields
    one_file: bool
    """Whether a record's number tells it from all others of the benchmark."""
    is_text: bool = False

    @override
    def has_text_column(self, schema: pa.Schema) -> bool:
        return False

    @override
    def of_plain_text(self) -> ItemMap:
        as_passage = RecordFields(ItemFields(passage="text"))
        return replace(self, of_records=as_passage, is_text=True)

    @override
    def columns(self, file: str) -> _FileColumns:
        return _FileColumns(self, file)


class _FileColumns:
    """The items of one file."""

    def __init__(self, item_map: ItemMap, file: str) -> None:
        self._columns = ItemColumns(item_map.benchmark, item_map.of_records)
        self._map = item_map
        self._file = file
        self._split = split_of(file)

    def add(self, row: int | str, value: dict[str, Any], quarantine: Quarantine) -> Reason | None:
        """Take the next record, or say what is wrong with it."""
        number = str(row) if self._map.one_file else f"{self._file}:{row}"
        return self._columns.add(self._file if self._map.is_text else number, self._split, value)

    def table(self) -> pa.Table:
        """The items so far."""
        return self._columns.table()


def split_of(path: str) -> str | None:
    """The split that a file's path tells by a word in it; of several the last."""
    words = _SPLIT.findall(path)
    return _SPLITS.get(words[-1].lower(), words[-1].lower()) if words else None


@dataclass(frozen=True)
class BenchmarkFiles:
    """The files that one path stands for: a file, a folder, a glob or a URL."""

    path: str
    source: FilesSource

    @classmethod
    def at(cls, path: str, base_folder: Path, contents: Contents) -> BenchmarkFiles:
        """Those at a path, which begins at `base_folder` if it is relative."""
        config = FilesConfig(reader="files", path=path)
        return cls(path, config.build("", base_folder, contents))

    @property
    def files(self) -> tuple[InputFile, ...]:
        """Sorted by path. Raises UserError where there is none, or one that may not be looked at."""
        return self.source.files

    @property
    def _location(self) -> str:
        """Where they are, for messages."""
        return self.files[0].location if len(self.files) == 1 else self.path

    def identity(self) -> dict[str, Any]:
        """The name, size and content of each."""
        return self.source.identity()

    def read(
        self, benchmark: str, fields: RecordFields, one_file: bool, quarantine: Quarantine
    ) -> Iterator[pa.Table]:
        """Their items; what is none is set aside.

        Raises:
            UserError: There is no item in them; says why.
            WorkError: A remote file could not be read.
        """
        item_map = ItemMap(benchmark=benchmark, of_records=fields, one_file=one_file)
        bad_before = len(quarantine.rows)
        found = 0
        try:
            for file in self.files:
                for unit in plan_files([file], sys.maxsize):
                    for table in read_tables(file, unit, item_map, quarantine):
                        found += table.num_rows
                        yield table
        except (OSError, pa.ArrowInvalid) as error:
            raise WorkError(f"the benchmark `{benchmark}` cannot be read: {error}", file=self.path) from error
        self._require_fields(fields)
        if not found:
            raise self._empty(benchmark, fields, next(iter(quarantine.rows[bad_before:]), None))

    def require(self, benchmark: str, fields: RecordFields) -> None:
        """Raise UserError where there is no file, or its first records are no items or lack a field."""
        next(self.read(benchmark, fields, False, Quarantine()), None)
        self._require_fields(fields)

    def _require_fields(self, fields: RecordFields) -> None:
        if fields.first is not None and (missing := fields.missing):
            raise no_such_field(*missing[0], fields.first, self._location)

    def _empty(self, benchmark: str, fields: RecordFields, bad: BadRecord | None) -> UserError:
        """What to say of files without an item, of which `bad` was set aside first."""
        where = next((each.location for each in self.files if bad and each.path == bad.file), self._location)
        if fields.first is not None and not fields.tells_the_question:
            there_are = ", ".join(field_names(fields.first)[:SHOWN_FIELDS])
            return UserError(
                f"no field has a usual name of a question, a passage or a solution; "
                f"the records have: {there_are}",
                file=where,
                hint="Say which field is what, such as `question: ...` and `answer: ...`.",
            )
        why = f"; the first record was set aside: {bad.described}" if bad else ""
        return UserError(
            f"the benchmark `{benchmark}` has no item here{why}",
            file=where,
            place=bad.position if bad else "",
            hint="An item needs words in its question, passage or solution.",
        )


def no_such_field(role: str, name: str, record: dict[str, Any], file: str) -> UserError:
    """What to say of a field that was named and that no record has."""
    near = get_close_matches(name, field_names(record), n=1)
    hint = f"Did you mean `{role}: {near[0]}`?" if near else f"Set `{role}` to one of them, or leave it out."
    return missing_field(name, [record], hint, file)

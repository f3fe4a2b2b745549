"""Facts in files: questions, each with the answers that are accepted."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import override

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Labels, Quarantine, Reason
from pipelines.sources.benchmark_fields import usable_id
from pipelines.sources.content import Contents
from pipelines.sources.fields import FieldMap, Fields
from pipelines.sources.files import FilesConfig
from pipelines.sources.formats import plan_files, read_tables
from pipelines.sources.paths import ABSENT, found_at
from pipelines.sources.quarantine import tell
from pipelines.sources.refusals import missing_field

FACTS = pa.schema([("id", pa.string()), ("question", pa.string()), ("answers", pa.list_(pa.string()))])


@dataclass(frozen=True)
class Fact:
    """A question and the answers that are right."""

    id: str
    question: str
    answers: tuple[str, ...]


@dataclass
class _Seen:
    """The first record, and which fields any had."""

    first: dict[str, Any] | None = None
    fields: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class FactMap(FieldMap):
    """How the records of files become facts, for the readers of formats."""

    labels: Labels = field(default_factory=lambda: Labels("", ""))
    fields: Fields = field(default_factory=Fields)
    question: str
    answers: str
    seen: _Seen = field(default_factory=_Seen)

    @override
    def has_text_column(self, schema: pa.Schema) -> bool:
        return False

    @override
    def of_plain_text(self) -> FactMap:
        return replace(self)

    @override
    def columns(self, file: str) -> _FactColumns:
        return _FactColumns(self, file)


class _FactColumns:
    """The facts of one file."""

    def __init__(self, fact_map: FactMap, file: str) -> None:
        self._map = fact_map
        self._file = file
        self._rows: list[tuple[str, str, list[str]]] = []

    def add(self, row: int | str, value: dict[str, Any], quarantine: Quarantine) -> Reason | None:
        """Take the next record, or say what is wrong with it."""
        seen = self._map.seen
        seen.first = seen.first or value
        found = [found_at(value, name) for name in (self._map.question, self._map.answers)]
        for name, each in zip((self._map.question, self._map.answers), found, strict=True):
            if each is not ABSENT:
                seen.fields.add(name)
        question, answers = _texts(found[0]), _texts(found[1])
        if len(question) != 1 or not answers:
            return Reason.NO_FACT
        fact_id = usable_id(value.get("id")) or f"{self._file}:{row}"
        self._rows.append((fact_id, question[0], answers))
        return None

    def table(self) -> pa.Table:
        """The facts so far."""
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(FACTS)
        arrays = [pa.array(column, each.type) for column, each in zip(columns, FACTS, strict=True)]
        return pa.table(arrays, schema=FACTS)


def _texts(value: Any) -> list[str]:
    """The texts of a field, numbers as they are written; none that is empty."""
    values = value if isinstance(value, list) else [value]
    texts = [
        str(each) for each in values if isinstance(each, str | int | float) and not isinstance(each, bool)
    ]
    return [text.strip() for text in texts if text.strip()]


def read_fact_files(path: str, question: str, answers: str) -> list[Fact]:
    """The facts in the files that a path stands for; records that are none are set aside, counted and told.

    Raises:
        UserError: There is no such file or field, or no fact in it.
        WorkError: A file cannot be read.
    """
    source = FilesConfig(reader="files", path=path).build("", Path(), Contents())
    fact_map, quarantine = FactMap(question=question, answers=answers), Quarantine()
    found: list[Fact] = []
    try:
        for file in source.files:
            for unit in plan_files([file], sys.maxsize):
                for table in read_tables(file, unit, fact_map, quarantine):
                    found += [
                        Fact(row["id"], row["question"], tuple(row["answers"])) for row in table.to_pylist()
                    ]
    except (OSError, pa.ArrowInvalid) as error:
        raise WorkError(f"the facts cannot be read: {error}", file=path) from error
    seen, first = fact_map.seen, quarantine.first
    for role, name in (("question", question), ("answers", answers)):
        if seen.first is not None and name not in seen.fields:
            raise missing_field(name, [seen.first], f"Say which field it is: `{role}: ...`.", path)
    if not found:
        why = f"; the first record was set aside: {first.described}" if first else ""
        raise UserError(f"there is no fact here{why}", file=path, hint="A fact has a question and answers.")
    reasons = {reason: loss.records for reason, loss in quarantine.losses.items()}
    tell(reasons, f"the first: {first.file}:{first.position}" if first else "")
    return found

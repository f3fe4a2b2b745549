"""From records to documents: which field is the text, the id, the conversation; the rest becomes metadata.

Two ways in with one meaning: `documents_from_records` for formats that parse into dictionaries,
`documents_from_table` for columnar ones, which copies text and ids without making Python objects of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from pipelines.sources.base import Labels, Quarantine, Reason, part_table, stored_bytes
from pipelines.sources.conversation_text import rendered
from pipelines.sources.conversations import Messages, read_conversation, recognised_format
from pipelines.sources.licences.column import declared_id, loses_words
from pipelines.sources.paths import ABSENT, found_at, taken_from
from pipelines.sources.records import NOTHING, Failed, Preparation, Record
from pipelines.sources.schema import MESSAGES
from pipelines.sources.turns import NoConversation
from pipelines.sources.web.options import READ_AS_USUAL, Pages

METADATA_BYTES = 4_000
METADATA_VALUE_BYTES = 1_000
"""Metadata above the first bound loses the values above the second and those beyond the first."""

TEXT = "text"
DECLARED_LICENSE = "declared_license"
"""In the metadata, where `license` says less than the record did."""

ID_CHARACTERS = 1_000
"""A longer id is not used."""


class Fields(BaseModel):
    """Which field of a record is what; dots lead into nested records (`meta.url`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(default=TEXT, description="The document's text; not read where `messages` is set.")
    id: str | None = Field(default="id", description="Unique in the source; null: always <file>:<row>.")
    url: str | None = Field(default="url", description="Where the document comes from.")
    parent_id: str | None = Field(
        default="parent_id", description="The doc_id of the document that this one was made from."
    )
    language: str | None = Field(default=None, description="The document's language; null: the source's.")
    license: str | None = Field(
        default=None, description="The document's license, or a list of them; null: the source's."
    )


@dataclass(frozen=True)
class FieldMap:
    """How one source's records become its documents."""

    labels: Labels
    fields: Fields
    messages: Messages | None = None
    """Where the conversation of a record is; None: it has a text, or shows by its fields what it is."""
    preparation: Preparation = NOTHING
    """What is done with records before."""
    pages: Pages = READ_AS_USUAL
    """How the text of web pages is found."""

    def conversation(self, record: dict[str, Any]) -> Messages | None:
        """How a record is read as a conversation; None if it is none."""
        if self.messages or self.fields.text != TEXT or TEXT in record:
            return self.messages
        return recognised_format(record)

    def has_text_column(self, schema: pa.Schema) -> bool:
        """Whether the texts of a table can be taken as they are, a column at a time."""
        return not (self.messages or self.preparation) and _has_text(schema, self.fields.text)

    def of_plain_text(self) -> "FieldMap":
        """The same for text, which has no fields to choose from."""
        return FieldMap(self.labels, Fields(), pages=self.pages)

    def columns(self, file: str) -> "Columns":
        """Where the records of a file are gathered."""
        return _Columns(self, file)


class Columns(Protocol):
    """What records become, gathered one by one."""

    def add(self, row: int | str, value: dict[str, Any], quarantine: Quarantine) -> Reason | None:
        """Take the next record, the file's number `row`, or say what is wrong with it."""
        ...

    def table(self) -> pa.Table:
        """What was gathered."""
        ...


def row_position(row: int | str) -> str:
    """Position of a record in a file without lines: its 0-based number, as in its doc_id."""
    return f"row {row}"


def line_position(line: int, byte: int) -> str:
    """Position of the line with the 0-based number `line`, as people and editors count."""
    return f"line {line + 1}, byte {byte}"


def documents_from_records(
    records: Iterable[Record], field_map: FieldMap, file: str, quarantine: Quarantine, rate: float = 1.0
) -> pa.Table:
    """Documents of dictionaries, which are taken apart: do not use them afterwards.

    `rate`: bytes of the file for each byte of the records.
    """
    columns = field_map.columns(file)
    for row, line, byte, size, value in field_map.preparation.prepare(records):
        reason: Reason | None = Reason.NOT_AN_OBJECT
        if isinstance(value, Failed):
            reason, value = value.reason, value.record
        elif isinstance(value, dict):
            reason = columns.add(row, value, quarantine)
        if reason is None:
            continue
        position = row_position(row) if line < 0 else line_position(line, byte)
        sample = _encode(value) or b""
        if reason in (Reason.NO_TEXT, Reason.NO_MESSAGES):
            sample = f"only {', '.join(map(str, value))}: ".encode("utf-8", "replace") + sample
        quarantine.add(file, position, reason, sample, bytes=stored_bytes(byte, size, rate))
    return columns.table()


def documents_from_table(
    batch: pa.RecordBatch,
    first_row: int,
    sizes: Callable[[int], int],
    field_map: FieldMap,
    file: str,
    quarantine: Quarantine,
) -> pa.Table:
    """Documents of a columnar batch whose first record is number `first_row` of the file.

    `sizes`: the bytes of a record by its number.
    """
    rows = list(range(first_row, first_row + batch.num_rows))
    batch, rows = _valid(batch, rows, sizes, file, quarantine)
    name = field_map.fields.text
    if not field_map.has_text_column(batch.schema):
        values = map(_without_inner_nulls, _to_pylist(batch))
        records = ((row, -1, -1, sizes(row), value) for row, value in zip(rows, values, strict=True))
        return documents_from_records(records, field_map, file, quarantine)
    texts = batch.column(name).cast(pa.large_string())
    columns = _Columns(field_map, file)
    rest = _to_pylist(batch.drop_columns([name])) if batch.num_columns > 1 else [{} for _ in rows]
    for row, value, null in zip(rows, rest, texts.is_null().to_pylist(), strict=True):
        if null:
            sample = _encode({name: None, **value}) or b""
            quarantine.add(file, row_position(row), Reason.NULL_TEXT, sample, bytes=sizes(row))
        else:
            columns.add_rest(row, value)
    return columns.table(texts.drop_null() if texts.null_count else texts)


class _Columns:
    """The columns of the documents so far."""

    def __init__(self, field_map: FieldMap, file: str) -> None:
        fields = field_map.fields
        self._field_map = field_map
        self._labels = field_map.labels
        source = field_map.labels.source
        self._prefix = f"{source}/" if source else ""
        self._file = file
        self._id = fields.id
        self._license = fields.license
        self._texts: list[str | None] = []
        self._messages: list[list[dict[str, str | None]] | None] = []
        self._template_fields: list[str | None] = []
        self._ids: list[str] = []
        self._metadata: list[str] = []
        self._urls: list[str | None] = []
        self._parent_ids: list[str | None] = []
        self._languages: list[str | None] = []
        self._licenses: list[str | None] = []
        named = (
            (fields.url, self._urls),
            (fields.parent_id, self._parent_ids),
            (fields.language, self._languages),
        )
        self._named = [(path, values) for path, values in named if path is not None]

    def add(self, row: int | str, value: dict[str, Any], quarantine: Quarantine) -> Reason | None:
        """Take the next document, or say what is wrong with it; only a good record is taken apart."""
        setting = self._field_map.conversation(value)
        reason = self._add_text(value) if setting is None else self._add_conversation(value, setting)
        if reason is None:
            if setting is not None and not self._field_map.messages:
                quarantine.recognised[str(setting)] += 1
            self.add_rest(row, value)
        return reason

    def _add_text(self, record: dict[str, Any]) -> Reason | None:
        text = found_at(record, self._field_map.fields.text)
        if not isinstance(text, str):
            kinds = {ABSENT: Reason.NO_TEXT, None: Reason.NULL_TEXT}
            return next((reason for kind, reason in kinds.items() if text is kind), Reason.TEXT_TYPE)
        taken_from(record, self._field_map.fields.text)
        self._texts.append(text)
        self._messages.append(None)
        self._template_fields.append(None)
        return None

    def _add_conversation(self, record: dict[str, Any], setting: Messages) -> Reason | None:
        try:
            conversation = read_conversation(record, setting)
        except NoConversation as error:
            return error.reason
        for field in conversation.fields:
            taken_from(record, field)
        self._texts.append(None)
        self._messages.append(conversation.messages)
        self._template_fields.append(conversation.template_fields)
        return None

    def add_rest(self, row: int | str, value: dict[str, Any]) -> None:
        """Take what the other fields name out of a record; what is left is the metadata."""
        own_id = _usable_id(taken_from(value, self._id)) if self._id else None
        self._ids.append(self._prefix + (own_id or f"{self._file}:{row}"))
        for path, values in self._named:
            found = taken_from(value, path)
            values.append(found if isinstance(found, str) and found else None)
        if self._license is not None:
            self._add_license(taken_from(value, self._license), value)
        self._metadata.append(metadata_json(value))

    def _add_license(self, declared: Any, rest: dict[str, Any]) -> None:
        """Take a document's licence; what SPDX has no name for stays in the metadata as it is written."""
        licence = declared_id(declared)
        self._licenses.append(licence)
        if loses_words(declared, licence):
            rest[DECLARED_LICENSE] = declared

    def table(self, texts: pa.Array | None = None) -> pa.Table:
        """The documents; `texts` if they were not taken one by one."""
        messages = template_fields = None
        if texts is None:
            texts = pa.array(self._texts, pa.large_string())
            if texts.null_count:
                messages = pa.array(self._messages, MESSAGES)
                template_fields = pa.array(self._template_fields, pa.string())
                texts = pc.coalesce(texts, rendered(messages, template_fields))
        return part_table(
            self._labels,
            self._ids,
            texts,
            self._metadata,
            urls=self._urls or None,
            languages=self._languages or None,
            licenses=self._licenses or None,
            parent_ids=self._parent_ids or None,
            messages=messages,
            template_fields=template_fields,
        )


def metadata_json(value: dict[str, Any]) -> str:
    """JSON of a record's other fields; how many are too large or cannot be written is told as `_left_out`."""
    if not value:
        return "{}"
    encoded = _encode(value)
    if encoded is not None and len(encoded) <= METADATA_BYTES:
        return encoded.decode()
    kept: list[bytes] = []
    size = 0
    for key, item in value.items():
        pair = _encode({key: item})
        if pair is not None and len(pair) <= METADATA_VALUE_BYTES and size + len(pair) <= METADATA_BYTES:
            kept.append(pair[1:-1])
            size += len(pair)
    if len(kept) < len(value):
        kept.append(b'"_left_out":%d' % (len(value) - len(kept)))
    return "{" + b",".join(kept).decode() + "}"


def _encode(value: Any) -> bytes | None:
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (orjson.JSONEncodeError, RecursionError):  # nested too deeply, or an integer beyond 64 bits
        return None


def _plain(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def _without_inner_nulls(record: dict[str, Any]) -> dict[str, Any]:
    """The record without the nulls with which structs of columns fill the fields that one of them lacks."""
    return {name: _without_nulls(value) for name, value in record.items()}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _usable_id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and len(value) <= ID_CHARACTERS else None


def _has_text(schema: pa.Schema, name: str) -> bool:
    """Whether there is a column of strings by this name."""
    if name not in schema.names:
        return False
    kind = schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _to_pylist(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as dictionaries; a column that Python has no values for, such as far dates, as strings."""
    try:
        return cast(list[dict[str, Any]], batch.to_pylist())
    except (ValueError, OverflowError, LookupError):
        columns = [_to_values(column) for column in batch.columns]
        names = batch.schema.names
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _to_values(column: pa.Array) -> list[Any]:
    try:
        return cast(list[Any], column.to_pylist())
    except (ValueError, OverflowError, LookupError):  # the last: a time zone of which Python does not know
        pass
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return _to_values(column.cast(pa.timestamp(column.type.unit)))  # as stored, in UTC
    try:
        return cast(list[Any], column.cast(pa.string()).to_pylist())
    except pa.ArrowException:
        return [f"<{column.type}>"] * len(column)


def _valid(
    batch: pa.RecordBatch, rows: list[int], sizes: Callable[[int], int], file: str, quarantine: Quarantine
) -> tuple[pa.RecordBatch, list[int]]:
    """The batch without the rows that hold what is no value of its type, such as invalid UTF-8.

    Times may be beyond their day or year: that harms nobody.
    """
    times = [field.name for field in batch.schema if pa.types.is_temporal(field.type)]
    judged = batch.drop_columns(times)
    if _fault(judged) is None:
        return batch, rows
    good = []
    for index, row in enumerate(rows):
        fault = _fault(judged.slice(index, 1))
        if fault is None:
            good.append(index)
        else:
            reason = Reason.INVALID_UTF8 if "UTF8" in fault else Reason.UNREADABLE_ROWS
            quarantine.add(file, row_position(row), reason, fault, bytes=sizes(row))
    return batch.take(pa.array(good, pa.int64())), [rows[index] for index in good]


def _fault(batch: pa.RecordBatch) -> str | None:
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        return str(error)
    return None

"""From records to documents: which field is the text, the id, the conversation; the rest becomes metadata.

Two ways in with one meaning: `documents_from_records` for formats that parse into dictionaries,
`documents_from_table` for columnar ones, which copies text and ids without making Python objects of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipelines.sources.base import Labels, Quarantine, Reason, part_table

METADATA_BYTES = 4_000
METADATA_VALUE_BYTES = 1_000
"""Metadata above the first bound loses the values above the second and those beyond the first."""

ID_CHARACTERS = 1_000
"""A longer id is not used."""

_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


class Fields(BaseModel):
    """Which field of a record is what; dots lead into nested records (`meta.url`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(default="text", description="The document's text; not read where `messages` is set.")
    id: str | None = Field(default="id", description="Unique in the source; null: always <file>:<row>.")
    url: str | None = Field(default="url", description="Where the document comes from.")
    language: str | None = Field(default=None, description="The document's language; null: the source's.")
    license: str | None = Field(default=None, description="The document's license; null: the source's.")


@dataclass(frozen=True)
class FieldMap:
    """How one source's records become its documents."""

    labels: Labels
    fields: Fields
    messages: str | None = None
    """Field that holds a conversation: a list of {role, content} or {from, value}."""


class Record(NamedTuple):
    """A parsed record and where it was found."""

    row: int
    """0-based number among the file's records."""
    line: int
    """0-based number of its first line; -1 in a file without lines."""
    byte: int
    """Where that line begins."""
    value: Any

    @property
    def position(self) -> str:
        """Where people find it."""
        return row_position(self.row) if self.line < 0 else line_position(self.line, self.byte)


def render_messages(messages: list[dict[str, str]]) -> str:
    """The plain text of a conversation: its contents, with a blank line between them and no role names."""
    return "\n\n".join(message["content"] for message in messages)


def row_position(row: int) -> str:
    """Position of a record in a file without lines: its 0-based number, as in its doc_id."""
    return f"row {row}"


def line_position(line: int, byte: int) -> str:
    """Position of the line with the 0-based number `line`, as people and editors count."""
    return f"line {line + 1}, byte {byte}"


def documents_from_records(
    records: Iterable[Record], field_map: FieldMap, file: str, quarantine: Quarantine
) -> pa.Table:
    """Documents of dictionaries, which are taken apart: do not use them afterwards."""
    columns = _Columns(field_map, file)
    texts: list[str] = []
    conversations: list[list[dict[str, str]]] = []
    for record in records:
        value = record.value
        if not isinstance(value, dict):
            quarantine.add(file, record.position, Reason.NOT_AN_OBJECT, _show(value))
            continue
        if field_map.messages is None:
            text = _find(value, field_map.fields.text)
            if not isinstance(text, str):
                quarantine.add(file, record.position, _text_reason(text), _show(value))
                continue
            _drop(value, field_map.fields.text)
        else:
            raw = _find(value, field_map.messages)
            messages = normal_messages(raw)
            if messages is None:
                reason = Reason.NO_MESSAGES if raw is _ABSENT else Reason.BAD_MESSAGES
                quarantine.add(file, record.position, reason, _show(value))
                continue
            _drop(value, field_map.messages)
            conversations.append(messages)
            text = render_messages(messages)
        texts.append(text)
        columns.add(record.row, value)
    return columns.table(texts, conversations if field_map.messages else None)


def documents_from_table(
    batch: pa.RecordBatch, first_row: int, field_map: FieldMap, file: str, quarantine: Quarantine
) -> pa.Table:
    """Documents of a columnar batch whose first record is number `first_row` of the file."""
    rows = list(range(first_row, first_row + batch.num_rows))
    batch, rows = _valid_unicode(batch, rows, file, quarantine)
    name = field_map.fields.text
    if (
        field_map.messages
        or batch.schema.get_field_index(name) < 0
        or not _is_text(batch.schema.field(name).type)
    ):
        values = zip(rows, _to_pylist(batch), strict=True)
        records = (Record(row, -1, -1, value) for row, value in values)
        return documents_from_records(records, field_map, file, quarantine)
    texts = batch.column(name).cast(pa.large_string())
    is_null = texts.is_null()
    columns = _Columns(field_map, file)
    rest = _to_pylist(batch.drop_columns([name])) if batch.num_columns > 1 else [{} for _ in rows]
    for row, value, null in zip(rows, rest, is_null.to_pylist(), strict=True):
        if null:
            quarantine.add(file, row_position(row), Reason.NULL_TEXT, _show({name: None, **value}))
        else:
            columns.add(row, value)
    return columns.table(texts.drop_null() if texts.null_count else texts, None)


class _Columns:
    """The columns of the documents beside the text."""

    def __init__(self, field_map: FieldMap, file: str) -> None:
        self._labels = field_map.labels
        self._fields = field_map.fields
        self._file = file
        self._ids: list[str] = []
        self._urls: list[str | None] = []
        self._languages: list[str | None] = []
        self._licenses: list[str | None] = []
        self._metadata: list[str] = []

    def add(self, row: int, value: dict[str, Any]) -> None:
        """Take what the fields name out of a record; what is left is the metadata."""
        fields = self._fields
        own_id = _take(value, fields.id)
        self._ids.append(f"{self._labels.source}/{_usable_id(own_id) or f'{self._file}:{row}'}")
        self._urls.append(_take_string(value, fields.url))
        self._languages.append(_take_string(value, fields.language))
        self._licenses.append(_take_string(value, fields.license))
        self._metadata.append(metadata_json(value))

    def table(self, texts: list[str] | pa.Array, messages: list[list[dict[str, str]]] | None) -> pa.Table:
        return part_table(
            self._labels,
            self._ids,
            texts,
            self._metadata,
            urls=self._urls,
            languages=self._languages,
            licenses=self._licenses,
            messages=messages,
        )


def normal_messages(raw: Any) -> list[dict[str, str]] | None:
    """A conversation as a list of {role, content}, or None if it is empty or malformed.

    `from` and `value` are read as `role` and `content`; human, gpt, bot and model get their usual names.
    """
    if not isinstance(raw, list) or not raw:
        return None
    messages = []
    for turn in raw:
        if not isinstance(turn, dict):
            return None
        role = turn.get("role") or turn.get("from")
        content = turn.get("content") if turn.get("content") is not None else turn.get("value")
        if not isinstance(role, str) or not isinstance(content, str):
            return None
        messages.append({"role": _ROLES.get(role, role), "content": content})
    return messages


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


def _show(value: Any) -> bytes:
    return _encode(value) or b""


_ABSENT = object()


def _find(record: dict[str, Any], path: str) -> Any:
    """The value at a dotted path, or `_ABSENT`; a field whose very name has the dots goes first."""
    if path in record:
        return record[path]
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _drop(record: dict[str, Any], path: str) -> None:
    """Remove what `_find` finds."""
    if path in record:
        del record[path]
        return
    *parents, name = path.split(".")
    for parent in parents:
        record = record[parent]
    del record[name]


def _take(record: dict[str, Any], path: str | None) -> Any:
    if path is None:
        return None
    value = _find(record, path)
    if value is _ABSENT:
        return None
    _drop(record, path)
    return value


def _usable_id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and len(value) <= ID_CHARACTERS else None


def _take_string(record: dict[str, Any], path: str | None) -> str | None:
    value = _take(record, path)
    return value if isinstance(value, str) and value else None


def _text_reason(text: Any) -> Reason:
    if text is _ABSENT:
        return Reason.NO_TEXT
    return Reason.NULL_TEXT if text is None else Reason.TEXT_TYPE


def _to_pylist(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as dictionaries; a column that Python has no values for, such as far dates, as strings."""
    try:
        return cast(list[dict[str, Any]], batch.to_pylist())
    except (ValueError, OverflowError):
        columns = [_to_values(column) for column in batch.columns]
        names = batch.schema.names
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _to_values(column: pa.Array) -> list[Any]:
    try:
        return cast(list[Any], column.to_pylist())
    except (ValueError, OverflowError):
        pass
    try:
        return cast(list[Any], column.cast(pa.string()).to_pylist())
    except pa.ArrowException:
        return [f"<{column.type}>"] * len(column)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _valid_unicode(
    batch: pa.RecordBatch, rows: list[int], file: str, quarantine: Quarantine
) -> tuple[pa.RecordBatch, list[int]]:
    """The batch without the rows that hold invalid UTF-8, in whichever column."""
    if _is_valid(batch):
        return batch, rows
    good = []
    for index, row in enumerate(rows):
        if _is_valid(batch.slice(index, 1)):
            good.append(index)
        else:
            quarantine.add(file, row_position(row), Reason.INVALID_UTF8)
    return batch.take(pa.array(good, pa.int64())), [rows[index] for index in good]


def _is_valid(batch: pa.RecordBatch) -> bool:
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True

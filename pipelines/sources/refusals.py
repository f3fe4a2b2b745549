"""Why no record of a source becomes a document, and which setting mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipelines.errors import UserError
from pipelines.sources.base import Reason
from pipelines.sources.conversations import FORMATS, MessageFields, Messages, formats_of, read_conversation
from pipelines.sources.formats import RecordOptions
from pipelines.sources.paths import ABSENT, found_at
from pipelines.sources.preview import Refused
from pipelines.sources.turns import NoConversation, read_turn

SHOWN_FIELDS = 12
CONVERSATION_FAULTS = (
    Reason.NO_MESSAGES,
    Reason.BAD_MESSAGES,
    Reason.BAD_TOOL_CALLS,
    Reason.BAD_TOOLS,
    Reason.BAD_WEIGHT,
    Reason.NOT_TEXT,
)
OF_ANOTHER_SHAPE = (Reason.NO_TEXT, Reason.NULL_TEXT, Reason.TEXT_TYPE, *CONVERSATION_FAULTS)
"""Reasons of records that can be read, and are not what is asked for."""
CONVERSATION = (
    "Set `messages` to a field with a list of {role, content} or {from, value}, to the fields of a question "
    f"and its answer, {{user: ..., assistant: ...}}, or to a format: {', '.join(FORMATS)}."
)


class Spelling(NamedTuple):
    """How a setting is written where the source is named."""

    messages: str
    text: str


IN_A_RECIPE = Spelling("messages: ", "Set `fields: {{text: {}}}`.")
ON_A_COMMAND_LINE = Spelling("--messages ", "A record needs a string called `text`.")


def refusal(
    place: str, options: RecordOptions, refused: Sequence[Refused], spelling: Spelling = IN_A_RECIPE
) -> UserError:
    """What to say of a source all of whose first records are refused."""
    reason, _ = Counter(each.reason for each in refused).most_common(1)[0]
    alike = [each for each in refused if each.reason == reason]
    message, hint = _explained(Reason(reason), options, [each.fields for each in alike], spelling)
    where = ":".join(filter(None, (alike[0].file, alike[0].position)))
    return UserError(message, file=where, place=place, hint=hint)


def missing_field(name: str, records: Sequence[dict[str, Any]], hint: str, file: str) -> UserError:
    """What to say of a field that no record has."""
    return UserError(f"no field `{name}`; the records have: {_listed(records[0])}", file=file, hint=hint)


def _explained(
    reason: Reason, options: RecordOptions, records: list[dict[str, Any]], spelling: Spelling
) -> tuple[str, str]:
    if options.messages is not None and reason in CONVERSATION_FAULTS:
        return _explained_conversation(reason, options.messages, records, spelling)
    asked = options.fields.text
    text = _text_field(records)
    there_are = _listed(records[0])
    mend = _fitting(records, spelling) or spelling.text.format(text or "...")
    if reason is Reason.NO_TEXT:
        return f"no field `{asked}`; the records have: {there_are}", mend
    if reason in (Reason.TEXT_TYPE, Reason.NULL_TEXT):
        kind = _kind(_value(records[0], asked))
        return f"the field `{asked}` holds {kind}, not text; the records have: {there_are}", mend
    if reason in CONVERSATION_FAULTS:
        return f"{reason}; the records have: {there_are}", CONVERSATION
    return (
        f"none of the first records can be read: {reason}",
        "Mend the file, or name other files in the source.",
    )


def _explained_conversation(
    reason: Reason, asked: Messages, records: list[dict[str, Any]], spelling: Spelling
) -> tuple[str, str]:
    there_are = _listed(records[0])
    mend = _fitting(records, spelling, but=asked) or CONVERSATION
    if reason is Reason.NO_MESSAGES and asked in FORMATS:
        needed = " and ".join(f"`{name}`" for name in FORMATS[str(asked)].required)
        return f"the format `{asked}` needs {needed}; the records have: {there_are}", mend
    if reason is Reason.NO_MESSAGES:
        missing = asked if isinstance(asked, str) else _missing(asked, records[0])
        return f"no field `{missing}`; the records have: {there_are}", mend
    if reason is Reason.BAD_MESSAGES and isinstance(asked, str) and asked not in FORMATS:
        fault = _conversation_fault(_value(records[0], asked))
        return f"the field `{asked}` is no conversation: {fault}", mend
    return f"{reason}; the records have: {there_are}", mend


def _missing(asked: MessageFields, record: dict[str, Any]) -> str:
    """The field that a mapping asks for and a record has not."""
    fields = [field for fields in asked.by_role.values() for field in fields]
    return next((field for field in fields if found_at(record, field) is ABSENT), fields[0])


def _fitting(records: list[dict[str, Any]], spelling: Spelling, but: Messages | None = None) -> str | None:
    """The setting with which the records are conversations."""
    in_each = set.intersection(*({*formats_of(record)} for record in records))
    formats = [name for name in FORMATS if name in in_each and all(_reads(each, name) for each in records)]
    settings = formats or [name for name in (_conversation_field(records),) if name]
    said = " or ".join(f"`{spelling.messages}{name}`" for name in settings if name != but)
    return f"Set {said}." if said else None


def _reads(record: dict[str, Any], setting: Messages) -> bool:
    try:
        read_conversation(record, setting)
    except NoConversation:
        return False
    return True


def _listed(record: dict[str, Any]) -> str:
    names = field_names(record)
    more = [f"and {len(names) - SHOWN_FIELDS} more"] if len(names) > SHOWN_FIELDS else []
    return ", ".join([*names[:SHOWN_FIELDS], *more]) or "none"


def field_names(record: dict[str, Any]) -> list[str]:
    """The names of a record's fields, of nested ones their dotted paths."""
    return [name for name, _ in _flat(record)]


def _flat(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a record, nested ones by their dotted paths."""
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _value(record: dict[str, Any], path: str) -> Any:
    return dict(_flat(record)).get(path, record.get(path))


def _text_field(records: list[dict[str, Any]]) -> str | None:
    """The field with the most text."""
    lengths: Counter[str] = Counter()
    for record in records:
        lengths.update({name: len(value) for name, value in _flat(record) if isinstance(value, str)})
    return lengths.most_common(1)[0][0] if lengths else None


def _conversation_field(records: list[dict[str, Any]]) -> str | None:
    """A field that holds a conversation in every record."""
    in_each = ({name for name, value in _flat(record) if _is_conversation(value)} for record in records)
    return min(set.intersection(*in_each), default=None)


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_turn, value))


def _is_turn(turn: Any) -> bool:
    try:
        read_turn(turn)
    except NoConversation:
        return False
    return True


def _conversation_fault(value: Any) -> str:
    if not isinstance(value, list):
        return f"it holds {_kind(value)}, not a list of turns"
    if not value:
        return "it is empty"
    wrong = next((turn for turn in value if not _is_turn(turn)), value[0])
    if not isinstance(wrong, dict):
        return f"a turn is {_kind(wrong)}, not an object"
    return f"a turn has the keys {', '.join(map(str, wrong))}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {str: "a string", list: "a list", dict: "an object", bool: "a boolean", int: "a number"}
    return kinds.get(type(value), "a number")

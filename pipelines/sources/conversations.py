"""From a record to a conversation, by the fields that a recipe names or by those that tell its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from pipelines.sources.base import Reason
from pipelines.sources.paths import ABSENT, found_at
from pipelines.sources.turns import NoConversation, Turn, named_functions, parsed, read_turn

TEMPLATE_FIELDS = "template_fields"
BLANK_LINE = "\n\n"


class MessageFields(BaseModel):
    """A question and its answer, each a field of the record or several, joined by a blank line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str | tuple[str, ...] = Field(description="The field with the question, or a list of fields.")
    assistant: str | tuple[str, ...] = Field(description="The field with the answer, or a list of fields.")
    system: str | tuple[str, ...] = Field(
        default=(), description="The field with the system's turn, or a list of fields."
    )

    @property
    def by_role(self) -> dict[str, tuple[str, ...]]:
        """The fields of each turn, in order."""
        named = {"system": self.system, "user": self.user, "assistant": self.assistant}
        return {
            role: (fields,) if isinstance(fields, str) else fields for role, fields in named.items() if fields
        }


Messages = str | MessageFields
"""What a source's setting `messages` may be: a field, a format's name, or the fields of each turn."""


class _Said(NamedTuple):
    """The turns of a record as they are written, and the fields that they were taken from."""

    turns: list[Any]
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Format:
    """A way in which datasets write conversations.

    `required`: fields that a record needs, and the types of their values.
    """

    required: dict[str, tuple[type, ...]]
    read: Callable[[dict[str, Any]], _Said]

    def fits(self, record: dict[str, Any]) -> bool:
        """Whether a record has the fields."""
        return all(isinstance(record.get(name), kinds) for name, kinds in self.required.items())


@dataclass(frozen=True)
class Conversation:
    """A conversation, as a corpus part holds it."""

    messages: list[dict[str, str | None]]
    template_fields: str | None
    """JSON of what a chat template gets besides."""
    fields: tuple[str, ...]
    """The fields of the record that it was taken from."""


def read_conversation(record: dict[str, Any], setting: Messages) -> Conversation:
    """The conversation of a record; raises NoConversation."""
    record = _unfolded(record)
    said = _said(record, setting)
    if not said.turns:
        raise NoConversation(Reason.BAD_MESSAGES)
    turns = [read_turn(raw) for raw in said.turns]
    fields = [*said.fields, TEMPLATE_FIELDS]
    if not isinstance(setting, MessageFields) and (system := _system(record, turns)):
        turns.insert(0, system)
        fields.append("system")
    template_fields: dict[str, Any] = {}
    if any(turn.more for turn in turns):
        template_fields["messages"] = [turn.more for turn in turns]
    for name, value in _of_the_record(_beside(record, setting)):
        fields.append(name)
        template_fields |= value
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    return Conversation(messages, _json(template_fields), tuple(fields))


def _beside(record: dict[str, Any], setting: Messages) -> dict[str, Any]:
    """The record in which the field `setting` stands, which a dotted name leads into."""
    parents = setting.rpartition(".")[0] if isinstance(setting, str) and setting not in record else ""
    inner = found_at(record, parents) if parents else record
    return inner if isinstance(inner, dict) else record


def formats_of(record: dict[str, Any]) -> list[str]:
    """The names of the formats whose fields a record has."""
    return [name for name, each in FORMATS.items() if each.fits(record)]


def recognised_format(record: dict[str, Any]) -> str | None:
    """The only format that a record fits."""
    fitting = formats_of(record)
    return fitting[0] if len(fitting) == 1 else None


def _unfolded(record: dict[str, Any]) -> dict[str, Any]:
    """A record of a corpus part, with what stands in its `template_fields` where datasets have it."""
    if not isinstance(record.get(TEMPLATE_FIELDS), str) or not isinstance(record.get("messages"), list):
        return record
    fields = parsed(record[TEMPLATE_FIELDS], Reason.BAD_MESSAGES) or {}
    turns = record["messages"]
    beside = fields.pop("messages", [{}] * len(turns)) if isinstance(fields, dict) else None
    if not isinstance(beside, list) or not all(isinstance(each, dict) for each in [*turns, *beside]):
        raise NoConversation(Reason.BAD_MESSAGES)
    joined = [turn | more for turn, more in zip(turns, beside, strict=False)]
    return {**record, **fields, "messages": joined if len(beside) == len(turns) else []}


def _said(record: dict[str, Any], setting: Messages) -> _Said:
    if isinstance(setting, MessageFields):
        return _said_in_fields(record, setting.by_role)
    listed = found_at(record, setting)
    if listed is ABSENT and setting in FORMATS:
        if any(name not in record for name in FORMATS[setting].required):
            raise NoConversation(Reason.NO_MESSAGES)
        return FORMATS[setting].read(record)
    if listed is ABSENT:
        raise NoConversation(Reason.NO_MESSAGES)
    return _Said(_list(listed), (setting,))


def _said_in_fields(record: dict[str, Any], by_role: dict[str, tuple[str, ...]]) -> _Said:
    turns = []
    for role, fields in by_role.items():
        values = [found_at(record, field) for field in fields]
        there = [value for value in values if value is not ABSENT and value not in (None, "")]
        if not there and role == "system":
            continue
        if all(value is ABSENT for value in values):
            raise NoConversation(Reason.NO_MESSAGES)
        if not there or not all(isinstance(value, str) for value in there):
            raise NoConversation(Reason.BAD_MESSAGES)
        turns.append({"role": role, "content": BLANK_LINE.join(there)})
    return _Said(turns, tuple(field for fields in by_role.values() for field in fields))


def _system(record: dict[str, Any], turns: list[Turn]) -> Turn | None:
    """The turn that a field `system` beside the conversation stands for."""
    system = record.get("system")
    if not isinstance(system, str) or not system or turns[0].role in ("system", "developer"):
        return None
    return Turn("system", system, {})


def _of_the_record(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The other fields of a record that a template gets: their names, and what it gets."""
    for name in ("tools", "functions"):
        if record.get(name) is not None:
            tools = named_functions(record[name], Reason.BAD_TOOLS)
            yield name, {"tools": tools} if tools else {}
    documents = record.get("documents")
    if isinstance(documents, list) and all(isinstance(each, dict) for each in documents):
        yield "documents", {"documents": documents} if documents else {}
    kwargs = record.get("chat_template_kwargs")
    if kwargs is not None:
        options = parsed(kwargs, Reason.BAD_MESSAGES) or {}
        if not isinstance(options, dict):
            raise NoConversation(Reason.BAD_MESSAGES)
        yield "chat_template_kwargs", {"chat_template_kwargs": options} if options else {}


def _json(template_fields: dict[str, Any]) -> str | None:
    try:
        return orjson.dumps(template_fields, default=str).decode() if template_fields else None
    except (orjson.JSONEncodeError, RecursionError):  # nested too deeply, or an integer beyond 64 bits
        raise NoConversation(Reason.BAD_MESSAGES) from None


def _alpaca(record: dict[str, Any]) -> _Said:
    history = []
    for pair in _list(record.get("history") or []):
        if not isinstance(pair, list) or len(pair) != 2:
            raise NoConversation(Reason.BAD_MESSAGES)
        history += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    asked = _said_in_fields(record, {"user": ("instruction", "input"), "assistant": ("output",)})
    return _Said([*history, *asked.turns], ("history", *asked.fields))


def _question_answer(record: dict[str, Any]) -> _Said:
    passages = [name for name in ("context", "passage") if isinstance(record.get(name), str)]
    return _said_in_fields(record, {"user": (*passages, "question"), "assistant": ("answer",)})


def _prompt_completion(record: dict[str, Any]) -> _Said:
    turns = [*_turns(record["prompt"], "user"), *_turns(record["completion"], "assistant")]
    return _Said(turns, ("prompt", "completion"))


def _preference(record: dict[str, Any]) -> _Said:
    """The prompt and the answer that was chosen; one of several turns begins with the prompt."""
    chosen = _turns(record["chosen"], "assistant")
    prompt = _turns(record["prompt"], "user")
    whole = len(chosen) > 1 and read_turn(chosen[0]).role != "assistant"
    return _Said(chosen if whole else [*prompt, *chosen], ("prompt", "chosen"))


def _turns(value: Any, role: str) -> list[Any]:
    if isinstance(value, str) and value:
        return [{"role": role, "content": value}]
    return _list(value)


def _list(value: Any) -> list[Any]:
    """A list, which tables may hold as a JSON string."""
    value = parsed(value, Reason.BAD_MESSAGES)
    if not isinstance(value, list):
        raise NoConversation(Reason.BAD_MESSAGES)
    return value


def _listed(field: str) -> Callable[[dict[str, Any]], _Said]:
    return lambda record: _Said(_list(record[field]), (field,))


FORMATS = {
    "alpaca": Format({"instruction": (str,), "output": (str,)}, _alpaca),
    "sharegpt": Format({"conversations": (list,)}, _listed("conversations")),
    "openai": Format({"messages": (list,)}, _listed("messages")),
    "question_answer": Format({"question": (str,), "answer": (str,)}, _question_answer),
    "prompt_completion": Format({"prompt": (str, list), "completion": (str, list)}, _prompt_completion),
    "preference": Format(
        {"prompt": (str, list), "chosen": (str, list), "rejected": (str, list)}, _preference
    ),
}
"""The formats that `messages` may name: a new one is a function and a line here."""

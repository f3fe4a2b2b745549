"""From one turn of a conversation, as datasets spell it, to role, content and what else a template gets."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from pipelines.sources.base import Reason

ROLES = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
    "function": "tool",
}
"""Other names of roles; what is not among them stays."""

REASONING = ("reasoning", "thinking")
"""Other names of `reasoning_content`, which some templates read."""

LEARNT = ("weight", "train", "training", "trainable", "learn", "loss", "loss_mask")
NOT_LEARNT = ("masked",)
IN_PART = ("train_detail", "training_detail")
"""Marks of parts of a turn, which a mask of turns cannot follow."""

TEXT_PARTS = ("text", "input_text", "output_text")


class Turn(NamedTuple):
    """One turn."""

    role: str
    content: str | None
    more: dict[str, Any]
    """What else a chat template gets, and `weight: 0` where the turn is seen and not learnt."""


class NoConversation(Exception):
    """Why a record is no conversation."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def read_turn(raw: Any) -> Turn:
    """The turn; raises NoConversation."""
    if not isinstance(raw, dict):
        raise NoConversation(Reason.BAD_MESSAGES)
    more = {key: value for key, value in raw.items() if value is not None}
    role, said = _first_of(more, "role", "from"), _first_of(more, "content", "value")
    if not isinstance(role, str):
        raise NoConversation(Reason.BAD_MESSAGES)
    if role == "function_call":
        said, more["tool_calls"] = None, said
    content = _content(said)
    if call := more.pop("function_call", None):
        more.setdefault("tool_calls", call)
    _name_reasoning(more)
    if "tool_calls" in more:
        more["tool_calls"] = _tool_calls(more["tool_calls"])
    weight = _weight(more)
    more = {key: value for key, value in more.items() if value not in ([], {})} | weight
    if content is None and not more.keys() & {"tool_calls", "reasoning_content"}:
        raise NoConversation(Reason.BAD_MESSAGES)
    return Turn(_role(role), content, more)


def _role(name: str) -> str:
    """The name that templates know; one that they may know otherwise stays."""
    known = {*ROLES, *ROLES.values(), "system", "developer"}
    name = name.lower() if name.lower() in known else name
    return ROLES.get(name, name)


def parsed(value: Any, reason: Reason) -> Any:
    """The value of a field that some datasets write as a JSON string."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value) if value.strip() else None
    except orjson.JSONDecodeError:
        raise NoConversation(reason) from None


def named_functions(value: Any, reason: Reason) -> list[dict[str, Any]]:
    """Tools, or calls of them, as `{"type": "function", "function": {...}}` each."""
    items = parsed(value, reason)
    items = [items] if isinstance(items, dict) else items or []
    items = [parsed(item, reason) for item in items] if isinstance(items, list) else items
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise NoConversation(reason)
    return [_named_function(item) for item in items]


def _named_function(item: dict[str, Any]) -> dict[str, Any]:
    if "name" not in item or "function" in item or "type" in item:
        return item
    number = {"id": item["id"]} if "id" in item else {}
    function = {key: value for key, value in item.items() if key != "id"}
    return {**number, "type": "function", "function": function}


def _first_of(more: dict[str, Any], *names: str) -> Any:
    """The first of the fields that is there; all of them are removed."""
    found = [more.pop(name) for name in names if name in more]
    return found[0] if found else None


def _content(raw: Any) -> str | None:
    if not isinstance(raw, list):
        if raw is None or isinstance(raw, str):
            return raw
        raise NoConversation(Reason.BAD_MESSAGES)
    return "".join(map(_part, raw))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise NoConversation(Reason.BAD_MESSAGES)
    text = part.get("text")
    if part.get("type", "text") not in TEXT_PARTS or not isinstance(text, str):
        raise NoConversation(Reason.NOT_TEXT)
    return text


def _name_reasoning(more: dict[str, Any]) -> None:
    for name in REASONING:
        if "reasoning_content" not in more and isinstance(more.get(name), str):
            more["reasoning_content"] = more[name]
    if not isinstance(more.get("reasoning_content", ""), str):
        raise NoConversation(Reason.BAD_MESSAGES)


def _tool_calls(value: Any) -> list[dict[str, Any]]:
    """The calls; each has a function with a name."""
    calls = named_functions(value, Reason.BAD_TOOL_CALLS)
    for call in calls:
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise NoConversation(Reason.BAD_TOOL_CALLS)
    return calls


def _weight(more: dict[str, Any]) -> dict[str, int]:
    """`weight: 0` or nothing; the fields that say it are removed."""
    if more.keys() & set(IN_PART):
        raise NoConversation(Reason.BAD_WEIGHT)
    said = {_is_one(more.pop(name)) for name in LEARNT if name in more}
    said |= {not _is_one(more.pop(name)) for name in NOT_LEARNT if name in more}
    if len(said) > 1:
        raise NoConversation(Reason.BAD_WEIGHT)
    return {} if said != {False} else {"weight": 0}


def _is_one(value: Any) -> bool:
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        raise NoConversation(Reason.BAD_WEIGHT)
    return bool(value)

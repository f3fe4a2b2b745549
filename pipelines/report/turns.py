"""A conversation as people are shown it: turn by turn, with what is thought, said and called in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from pipelines.sources.conversation_text import function_of

BESIDE = ("tools", "documents", "chat_template_kwargs")
"""What a chat template gets besides the turns."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one side says at a time."""

    role: str
    is_learnt: bool
    thought: str
    said: str
    calls: tuple[str, ...]


def turns_of(document: dict[str, Any]) -> Iterator[Turn]:
    """The turns of a document that is a conversation, as `coupage inspect --json` gives it."""
    messages = document["messages"]
    beside = (document["template_fields"] or {}).get("messages") or [{} for _ in messages]
    for message, more in zip(messages, beside, strict=True):
        yield Turn(
            role=message["role"],
            is_learnt=more.get("weight") != 0,
            thought=more.get("reasoning_content", ""),
            said=message["content"] or "",
            calls=tuple(" ".join(filter(None, function_of(call))) for call in more.get("tool_calls", ())),
        )


def beside_turns(document: dict[str, Any]) -> dict[str, str]:
    """What stands beside the turns, by name, as JSON."""
    fields = document["template_fields"] or {}
    return {name: orjson.dumps(fields[name]).decode() for name in BESIDE if name in fields}

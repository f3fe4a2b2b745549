"""A conversation as a chat template gets it: messages with all their fields, tools, documents, settings."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Message = dict[str, Any]

SYSTEM_ROLES = frozenset({"system", "developer"})

_NO_TEXT = re.compile("[\ud800-\udfff\ufdd0-\ufdef]")  # halves of surrogate pairs; a program's own characters
_REASONING = ("reasoning_content", "thinking", "reasoning")


@dataclass(frozen=True)
class Conversation:
    """What a chat template gets, and which turns are learnt.

    Every string is text without surrogates and without the noncharacters that the encoder keeps for itself.
    """

    messages: list[Message]
    seen_only: frozenset[int] = frozenset()
    """The messages of weight 0: seen, but not learnt."""
    tools: list[Any] | None = None
    documents: list[Any] | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    """Further variables of the template: a record's `chat_template_kwargs`."""

    @classmethod
    def of(cls, messages: list[Message] | None, template_fields: str | None = None) -> "Conversation":
        """Join the values of the columns `messages` and `template_fields` of one row.

        Raises:
            ValueError: It is not one that could be rendered; the message says why.
        """
        fields = json.loads(template_fields) if template_fields else {}
        whole = messages or []
        further = fields.get("messages") or [{} for _ in whole]
        if len(further) != len(whole):
            raise ValueError(f"Of {len(whole)} messages, {len(further)} have fields for the chat template.")
        joined = [_joined(number, *pair) for number, pair in enumerate(zip(whole, further, strict=True))]
        conversation = cls(
            [{key: value for key, value in message.items() if key != "weight"} for message in joined],
            frozenset(number for number, message in enumerate(joined) if message.get("weight", 1) == 0),
            fields.get("tools") or None,
            fields.get("documents") or None,
            fields.get("chat_template_kwargs") or {},
        )
        conversation.check()
        return conversation

    @property
    def learnt(self) -> list[int]:
        """The numbers of the assistant's messages, those of weight 0 left out."""
        return [number for number in self.assistant if number not in self.seen_only]

    @property
    def assistant(self) -> list[int]:
        """The numbers of the assistant's messages."""
        return [number for number, message in enumerate(self.messages) if message["role"] == "assistant"]

    @property
    def text_fields(self) -> dict[str, Any]:
        """All that holds strings, for walking through."""
        return {
            "messages": self.messages,
            "tools": self.tools,
            "documents": self.documents,
            "variables": self.variables,
        }

    def strings(self) -> Iterator[str]:
        """Every string, keys included, wherever it stands."""
        return _strings(self.text_fields)

    def check(self) -> None:
        """Raise ValueError where a string is none that text may hold."""
        if not _NO_TEXT.search("".join(self.strings())):
            return
        for where, value in self._places():
            if found := _NO_TEXT.search("".join(_strings(value))):
                raise ValueError(
                    f"{where} holds U+{ord(found.group()):04X}, which Unicode keeps for programs and "
                    "excludes from text."
                )

    def _places(self) -> Iterator[tuple[str, Any]]:
        for number, message in enumerate(self.messages):
            yield f"Message {number}", message
        yield "The list of tools", self.tools
        yield "A document", self.documents
        yield "`chat_template_kwargs`", self.variables

    def with_strings(self, change: Callable[[str], str]) -> "Conversation":
        """With every string changed."""
        return replace(self, **_changed(self.text_fields, change))

    def with_messages(self, change: Callable[[Message], Message]) -> "Conversation":
        """With every message changed."""
        return replace(self, messages=[change(message) for message in self.messages])

    def with_message(self, number: int, message: Message) -> "Conversation":
        """With another message in the place of one."""
        return replace(self, messages=[*self.messages[:number], message, *self.messages[number + 1 :]])

    def without_messages(self, start: int, stop: int) -> "Conversation":
        """Without the messages from `start` up to `stop`."""
        return replace(self, messages=[*self.messages[:start], *self.messages[stop:]])

    def first(self, number: int) -> "Conversation":
        """Only its first messages."""
        return replace(self, messages=self.messages[:number])

    def fields(self) -> list[str]:
        """What a template may leave out: `content` beside tool calls, a `system` message, further fields."""
        named = {name for message in self.messages for name, value in message.items() if value}
        named -= {"role", "content", *_REASONING[1:]}
        has = {
            "tools": self.tools,
            "documents": self.documents,
            "content": any(map(_speaks_and_calls, self.messages)),
            "system": any(map(_is_system, self.messages)),
            "tool": any(message["role"] == "tool" and message["content"] for message in self.messages),
        }
        return sorted(named | {name for name, value in has.items() if value})

    def without(self, name: str, numbers: Collection[int]) -> "Conversation":
        """Without one of its `fields`, of messages in those with these numbers."""
        if name in ("tools", "documents"):
            return replace(self, tools=None) if name == "tools" else replace(self, documents=None)
        kept = enumerate(self.messages)
        if name == "system":
            return replace(self, messages=[m for n, m in kept if n not in numbers or not _is_system(m)])
        return replace(self, messages=[_without(m, name) if n in numbers else m for n, m in kept])


def _without(message: Message, name: str) -> Message:
    if name == "content":
        return message | {"content": ""} if _speaks_and_calls(message) else message
    if name == "tool":
        return message | {"content": ""} if message["role"] == "tool" else message
    gone = _REASONING if name == "reasoning_content" else (name,)
    return {key: value for key, value in message.items() if key not in gone}


def map_arguments(message: Message, change: Callable[[Any], Any]) -> Message:
    """The message with the arguments of each of its tool calls changed."""
    return _map_calls(message, lambda call: call | {"arguments": change(call["arguments"])}, "arguments")


def map_call_names(message: Message, change: Callable[[Any], Any]) -> Message:
    """The message with the name in each of its tool calls changed."""
    return _map_calls(message, lambda call: call | {"name": change(call["name"])}, "name")


def _joined(number: int, message: Message | None, further: Message) -> Message:
    if message is None or message["role"] is None:
        raise ValueError(f"Message {number} has no role.")
    joined = {"role": message["role"], "content": message["content"], **further}
    reasoning = next((joined[name] for name in _REASONING if joined.get(name) is not None), None)
    if reasoning is not None:
        joined = {"thinking": reasoning, **joined, "reasoning_content": reasoning}  # as transformers does
    if joined["content"] is None and not (joined.get("tool_calls") or reasoning):
        raise ValueError(f"Message {number} has no content.")
    return joined


def _speaks_and_calls(message: Message) -> bool:
    return bool(message["content"] and message.get("tool_calls"))


def _is_system(message: Message) -> bool:
    return message["role"] in SYSTEM_ROLES and bool(message["content"])


def _map_calls(message: Message, change: Callable[[Any], Any], key: str) -> Message:
    """Each tool call's function, which stands in the call's `function` or is the call itself."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message

    def changed(call: Any) -> Any:
        if not isinstance(call, dict):
            return call
        if isinstance(inner := call.get("function"), dict):
            return call | {"function": changed(inner)}
        return change(call) if key in call else call

    return message | {"tool_calls": [changed(call) for call in calls]}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _changed(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    return value

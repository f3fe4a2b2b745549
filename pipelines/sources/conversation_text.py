"""What is said in conversations: their plain text, and the strings that edits change.

Both read the columns `messages` and `template_fields`. The text holds what the model sees of a conversation
without marks and role names: documents, reasoning, contents and calls of tools, with blank lines between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from filters.text.texts import replaced
from pipelines.sources.schema import MESSAGES

BETWEEN_MESSAGES = "\n\n"

_NAMES = ("id", "type", "name", "tool_call_id")
"""Keys of a turn, and of a call of a tool, whose strings name something and say nothing."""
_SAME_AS_REASONING = ("reasoning", "thinking")
_JSON_STRING = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?')
"""A string in JSON; with a colon behind it, a key."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""What can be escaped in JSON and is no text."""

Change = Callable[[str], str]


def rendered(messages: pa.ListArray, template_fields: pa.StringArray) -> pa.LargeStringArray:
    """The plain text of each conversation."""
    contents = messages.flatten().field("content").fill_null("")
    said = pc.not_equal(contents, "")
    ends = np.cumsum(np.concatenate([[0], said.to_numpy(zero_copy_only=False)]), dtype=np.int32)
    pieces = pa.ListArray.from_arrays(pa.array(ends[_offsets(messages)]), contents.filter(said))
    texts = pc.binary_join(pieces, BETWEEN_MESSAGES)
    rows = np.flatnonzero(template_fields.is_valid())
    chosen = pa.array(rows)
    whole = zip(messages.take(chosen).to_pylist(), template_fields.take(chosen).to_pylist(), strict=True)
    return replaced(texts, rows, [_text(turns, orjson.loads(fields)) for turns, fields in whole])


def revised(
    messages: pa.ListArray,
    template_fields: pa.StringArray,
    change: Callable[[pa.LargeStringArray], pa.Array],
) -> tuple[pa.ListArray, pa.StringArray]:
    """The conversations with all that is said in them changed, as one array of strings."""
    turns = messages.flatten()
    contents = turns.field("content").cast(pa.large_string())
    fields = [orjson.loads(each) for each in template_fields.drop_null().to_pylist()]
    found: list[str] = []
    for each in fields:
        _changed(each, _noted(found))
    said = pa.concat_arrays([contents.drop_null(), pa.array(found, pa.large_string())])
    new = change(said).cast(pa.large_string())
    of_contents = len(said) - len(found)
    contents = pc.replace_with_mask(contents, contents.is_valid(), new.slice(0, of_contents))
    of_fields = iter(new.slice(of_contents).to_pylist())
    changed = [orjson.dumps(_changed(each, lambda _: next(of_fields))).decode() for each in fields]
    turns = pa.StructArray.from_arrays(
        [turns.field("role"), contents.cast(pa.string())], fields=list(MESSAGES.value_type)
    )
    offsets = pa.array(_offsets(messages), pa.int32())
    return (
        pa.ListArray.from_arrays(offsets, turns, MESSAGES, mask=messages.is_null()),
        pc.replace_with_mask(template_fields, template_fields.is_valid(), pa.array(changed, pa.string())),
    )


def function_of(call: dict[str, Any]) -> tuple[str, str]:
    """The name of the tool that is called, and its arguments as JSON."""
    function = call.get("function", call)
    if not isinstance(function, dict):
        return str(function), ""
    arguments = function.get("arguments", "")
    if isinstance(arguments, str):
        arguments = _parsed(arguments, arguments)
    said = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return str(function.get("name", "")), said


def _text(turns: list[dict[str, Any]], fields: dict[str, Any]) -> str:
    pieces: list[str] = []
    _strings(fields.get("documents", []), _noted(pieces))
    extras = fields.get("messages", [{}] * len(turns))
    for turn, extra in zip(turns, extras, strict=True):
        pieces += [extra.get("reasoning_content", ""), turn["content"] or ""]
        pieces += [" ".join(filter(None, function_of(call))) for call in extra.get("tool_calls", ())]
    return BETWEEN_MESSAGES.join(piece for piece in pieces if isinstance(piece, str) and piece)


def _noted(into: list[str]) -> Change:
    """No change: each string is added to a list."""

    def note(text: str) -> str:
        into.append(text)
        return text

    return note


def _changed(fields: dict[str, Any], change: Change) -> dict[str, Any]:
    """The template fields with each string changed that says something, always in the same order."""
    new = dict(fields)
    if "messages" in fields:
        new["messages"] = [_changed_turn(extra, change) for extra in fields["messages"]]
    if "documents" in fields:
        new["documents"] = _strings(fields["documents"], change)
    return new


def _changed_turn(extra: dict[str, Any], change: Change) -> dict[str, Any]:
    thought = extra.get("reasoning_content")
    again = [name for name in _SAME_AS_REASONING if thought is not None and extra.get(name) == thought]
    new = {key: value if key in again else _said(key, value, change) for key, value in extra.items()}
    return new | {name: new["reasoning_content"] for name in again}


def _said(key: str, value: Any, change: Change) -> Any:
    """A value of a turn or of a call of a tool, with what it says changed."""
    if key in _NAMES:
        return value
    if key == "arguments":
        return _json_strings(value, change) if isinstance(value, str) else _strings(value, change)
    if isinstance(value, dict):
        return {inner: _said(inner, item, change) for inner, item in value.items()}
    if isinstance(value, list):
        return [_said(key, item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _strings(value: Any, change: Change) -> Any:
    """The value with all of its strings changed, keys not."""
    if isinstance(value, dict):
        return {key: _strings(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_strings(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _json_strings(text: str, change: Change) -> str:
    """JSON with its strings changed and all else as it is written; what is no JSON is one string."""
    if _parsed(text, None) is None:
        return change(text)

    def literal(found: re.Match[str]) -> str:
        written, colon = found.groups()
        if colon:
            return found.group()
        old = json.loads(written)
        if _SURROGATE.search(old):
            return written
        new = change(old)
        return written if new == old else json.dumps(new, ensure_ascii=False)

    return _JSON_STRING.sub(literal, text)


def _parsed(text: str, default: Any) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return default


def _offsets(messages: pa.ListArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    lengths = pc.list_value_length(messages).fill_null(0).to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)])

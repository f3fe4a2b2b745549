"""Text edits on what a chat template gets beside contents: reasoning, and the arguments of tool calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from filters.edits.edits import Edit
from filters.text.texts import replaced

IDENTIFIERS = ("id", "name", "tool_call_id", "type")
"""Fields of turns and calls whose words are nobody's: a changed one would refer to nothing."""


def edited_fields(template_fields: pa.StringArray, edit: Edit) -> tuple[pa.StringArray, dict[str, int]]:
    """The column `template_fields` with the strings in its messages edited, and what the edit did."""
    rows = [row for row, json in enumerate(template_fields.to_pylist()) if json and '"messages"' in json]
    values = [orjson.loads(template_fields[row].as_py()) for row in rows]
    strings = [text for value in values for text in _strings(value.get("messages"))]
    if not strings:
        return template_fields, {}
    done = edit.apply(pa.array(strings, pa.large_string()))
    results = iter(done.texts.to_pylist())
    for value in values:
        value["messages"] = _changed(value.get("messages"), lambda _: next(results))
    written = [orjson.dumps(value).decode() for value in values]
    return replaced(template_fields, np.array(rows, np.int64), written).cast(pa.string()), done.counts


def _strings(messages: Any) -> list[str]:
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    _changed(messages, keep)
    return found


def _changed(value: Any, change: Callable[[str], str], argument: bool = False) -> Any:
    """The value with its strings changed in order; JSON inside a string is changed from within."""
    if isinstance(value, dict):
        return {
            key: item
            if key in IDENTIFIERS and not argument
            else _changed(item, change, argument or key == "arguments")
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_changed(item, change, argument) for item in value]
    if not isinstance(value, str):
        return value
    inner = _object_in(value)
    if inner is None:
        return change(value)
    changed = _changed(inner, change, argument)
    return value if changed == inner else orjson.dumps(changed).decode()


def _object_in(text: str) -> dict[str, Any] | list[Any] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) else None

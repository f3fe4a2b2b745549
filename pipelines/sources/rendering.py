"""The plain text of conversations: what signals, duplicates and benchmarks are judged by."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from filters.text.texts import replaced

BETWEEN_MESSAGES = "\n\n"


def rendered(messages: pa.ListArray, template_fields: pa.StringArray) -> pa.LargeStringArray:
    """The text of each conversation: what is thought, said and called in its turns, without names of roles.

    Null where there is none.
    """
    lengths = pc.list_value_length(messages).fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    contents = messages.flatten().field("content")
    turns, texts = [], []
    for row in np.flatnonzero(template_fields.is_valid()):
        more = orjson.loads(template_fields[int(row)].as_py()).get("messages", ())
        for turn, fields in enumerate(more, offsets[row]):
            if said := _beside_content(fields):
                turns.append(turn)
                texts.append(BETWEEN_MESSAGES.join(_in_order(said, contents[int(turn)].as_py())))
    whole = replaced(contents.fill_null(""), np.array(turns, np.int64), texts)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), whole)
    joined = pc.binary_join(lists, pa.scalar(BETWEEN_MESSAGES, whole.type))
    return pc.if_else(messages.is_valid(), joined, pa.scalar(None, whole.type))


def call_text(call: dict[str, Any]) -> str:
    """A tool call: the function's name and its arguments."""
    function = call["function"]
    arguments = function.get("arguments")
    if arguments is None:
        return str(function["name"])
    written = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return f"{function['name']} {written}"


def _beside_content(fields: dict[str, Any]) -> tuple[str, list[str]] | None:
    reasoning, calls = fields.get("reasoning_content", ""), fields.get("tool_calls", ())
    return (reasoning, [call_text(call) for call in calls]) if reasoning or calls else None


def _in_order(beside: tuple[str, list[str]], content: str | None) -> list[str]:
    reasoning, calls = beside
    return [each for each in (reasoning, content, *calls) if each]

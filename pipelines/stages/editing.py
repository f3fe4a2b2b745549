"""Text edits on tables of documents: texts, messages of conversations, and counts of what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.edits.edits import Edit
from filters.text.texts import Edited, replaced
from pipelines.execution.counts import Count, Counts
from pipelines.sources.rendering import rendered
from pipelines.sources.schema import MESSAGES
from pipelines.stages.editing_fields import edited_fields
from pipelines.stages.parts import text_size


def edited(tables: Iterable[pa.Table], edits: tuple[Edit, ...], counts: Counts) -> Iterator[pa.Table]:
    """The tables with all edits made, without the documents of which an edit left nothing.

    Counts the flow `bytes` (those that an edit added enter, those that it removed are dropped), the flow
    `records` as far as documents are dropped, and as facts what each edit did.
    """
    for table in tables:
        before = text_size(table.column("text"))
        for edit in edits:
            table, added, removed = _edit(table, edit, counts)
            counts.flow("bytes", entered=added, left=0, dropped={Count("removed", edit.name): removed})
        counts.flow("bytes", entered=before, left=text_size(table.column("text")))
        yield table


def _edit(table: pa.Table, edit: Edit, counts: Counts) -> tuple[pa.Table, int, int]:
    """The table after one edit, and the bytes added to texts that grew and removed from those that shrank."""
    old = table.column("text").combine_chunks()
    table, done = _edited_columns(table, edit)
    new = table.column("text").combine_chunks()
    sizes, growth = _sizes(new), _sizes(new) - _sizes(old)
    emptied = (sizes == 0) & (growth < 0)
    for what, number in done.items():
        counts.add("edited", number, scope=edit.name, reason=what)
    counts.add("bytes_added", growth[growth > 0].sum(), scope=edit.name)
    counts.add("documents_changed", pc.sum(pc.not_equal(old, new)).as_py() or 0, scope=edit.name)
    number = int(emptied.sum())
    counts.flow("records", entered=number, left=0, dropped={Count("emptied", edit.name): number})
    kept = table.filter(pa.array(~emptied)) if number else table
    return kept, int(growth[growth > 0].sum()), int(-growth[growth < 0].sum())


def _edited_columns(table: pa.Table, edit: Edit) -> tuple[pa.Table, dict[str, int]]:
    """The table with `text`, and conversations where there are any, edited."""
    messages = table.column("messages").combine_chunks()
    text = table.column("text").combine_chunks()
    if messages.null_count == len(messages):
        result = edit.apply(text)
        return _with(table, "text", result.texts), result.counts
    plain = np.flatnonzero(messages.is_null())
    result = edit.apply(text.take(pa.array(plain)))
    text = replaced(text, plain, result.texts)
    if not edit.conversations:
        return _with(table, "text", text), result.counts
    counts = Counter(result.counts)
    messages, done = _edited_messages(messages, edit)
    counts.update(done)
    template_fields, done = edited_fields(table.column("template_fields").combine_chunks(), edit)
    counts.update(done)
    text = pc.coalesce(rendered(messages, template_fields), text)
    for name, column in (("text", text), ("messages", messages), ("template_fields", template_fields)):
        table = _with(table, name, column)
    return table, counts


def _edited_messages(messages: pa.ListArray, edit: Edit) -> tuple[pa.ListArray, dict[str, int]]:
    turns = messages.flatten()
    contents = turns.field("content")
    done: Edited = edit.apply(contents.fill_null(""))
    said = pc.if_else(contents.is_valid(), done.texts.cast(pa.string()), pa.scalar(None, pa.string()))
    turns = pa.StructArray.from_arrays([turns.field("role"), said], fields=list(MESSAGES.value_type))
    lengths = pc.list_value_length(messages).fill_null(0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, turns, MESSAGES, mask=messages.is_null()), done.counts


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, column.cast(field.type))


def _sizes(texts: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    sizes: np.ndarray[Any, np.dtype[np.int64]] = pc.binary_length(texts).to_numpy()
    return sizes

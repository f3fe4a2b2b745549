"""Text edits on tables of documents: texts, messages of conversations, and counts of what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.edits.edits import Edit
from filters.text.texts import replaced
from pipelines.execution.counts import Count, Counts
from pipelines.sources.conversation_text import rendered, revised
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


def _edited_columns(table: pa.Table, edit: Edit) -> tuple[pa.Table, Counter[str]]:
    """The table with texts and conversations edited, and what was done."""
    text, chats = table.column("text").combine_chunks(), table.column("messages").is_valid().to_numpy()
    plain, done = np.flatnonzero(~chats), Counter[str]()

    def apply(texts: pa.LargeStringArray) -> pa.Array:
        result = edit.apply(texts)
        done.update(result.counts)
        return result.texts

    text = replaced(text, plain, apply(text.take(pa.array(plain))))
    if not edit.conversations or not chats.any():
        return _with(table, "text", text), done
    messages, fields = revised(
        table.column("messages").combine_chunks(), table.column("template_fields").combine_chunks(), apply
    )
    rows = np.flatnonzero(chats)
    chosen = pa.array(rows)
    text = replaced(text, rows, rendered(messages.take(chosen), fields.take(chosen)))
    return _with(_with(_with(table, "text", text), "messages", messages), "template_fields", fields), done


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, column.cast(field.type))


def _sizes(texts: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    sizes: np.ndarray[Any, np.dtype[np.int64]] = pc.binary_length(texts).to_numpy()
    return sizes

"""From a benchmark's records to its items, in the tables of `filters.contamination.items.ITEMS`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.contamination.items import ITEMS
from pipelines.sources.base import Reason
from pipelines.sources.benchmark_answers import answer_of, letter
from pipelines.sources.benchmark_fields import (
    ASKED,
    NONE_NAMED,
    ItemFields,
    as_text,
    choice_fields,
    recognised,
    usable_id,
)
from pipelines.sources.paths import ABSENT, found_at

_WORD = re.compile(r"[^\W_]")
_SHAPES = 4096
"""For so many kinds of records it is remembered which of their fields are what."""

READ = ITEMS.append(pa.field("number", pa.int32()))
"""The columns of items while they are read: with `Answer.number` beside them."""


@dataclass
class RecordFields:
    """Which fields of records are what; learns which of them there are."""

    named: ItemFields = NONE_NAMED
    """As somebody said. Where that names nothing an item cannot do without, the others are recognised."""
    numbered: bool = False
    """Whether records are told apart by number and split, whatever they say of themselves."""
    taken: set[tuple[str, str]] = field(default_factory=set)
    """The roles that were found, each with its field."""
    first: dict[str, Any] | None = None
    """The first record."""
    missing: list[tuple[str, str]] = field(init=False)
    """The fields that were named, with their roles, and that no record had so far."""
    _known: dict[tuple[Any, ...], ItemFields] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.missing = list(self.named.named)
        self._are_all_named = any(getattr(self.named, role) for role in ASKED)

    def of(self, record: dict[str, Any]) -> ItemFields:
        """The fields of a record."""
        if self.first is None:
            self.first = record
        if self.missing:
            self.taken.update(pair for pair in self.missing if found_at(record, pair[1]) is not ABSENT)
            self.missing = [pair for pair in self.missing if pair not in self.taken]
        if self._are_all_named:
            return self.named
        shape = tuple((name, type(value)) for name, value in record.items())
        fields = self._known.get(shape)
        if fields is None:
            fields = recognised(record, self.named)
            if self.numbered:
                fields = fields._replace(id=None, split=None)
            self.taken.update(pair for pair in fields.named if pair not in self.named.named)
            if len(self._known) < _SHAPES:
                self._known[shape] = fields
        return fields

    @property
    def tells_the_question(self) -> bool:
        """Whether anything was taken that an item cannot do without."""
        return any(role in ASKED for role, _ in self.taken)


class ItemColumns:
    """The items of a benchmark, gathered record by record."""

    def __init__(self, benchmark: str, fields: RecordFields) -> None:
        self._benchmark = benchmark
        self._fields = fields
        self._rows: list[tuple[Any, ...]] = []

    def add(self, item_id: str, split: str | None, record: dict[str, Any]) -> Reason | None:
        """Take a record, or say what is wrong with it; its own id and split, if it has them, win."""
        fields = self._fields.of(record)
        passage = as_text(_value(record, fields.passage), whole=True)
        question = as_text(_value(record, fields.question), whole=True)
        solution = as_text(_value(record, fields.solution))
        if not (_has_words(question) or _has_words(passage) or _has_words(solution)):
            return Reason.NO_WORDS
        choices = choice_fields(record, fields.choices) if fields.choices else None
        answer = answer_of(_value(record, fields.answer), _value(record, fields.label), choices, solution)
        self._rows.append(
            (
                self._benchmark,
                usable_id(_value(record, fields.id)) or item_id,
                usable_id(_value(record, fields.split)) or split,
                passage or None,
                question or None,
                choices.texts if choices else None,
                answer.text,
                answer.label,
                solution or None,
                answer.number,
            )
        )
        return None

    def table(self) -> pa.Table:
        """The items so far, in columns of `READ`."""
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(READ)
        arrays = [pa.array(column, each.type) for column, each in zip(columns, READ, strict=True)]
        return pa.table(arrays, schema=READ)


def _value(record: dict[str, Any], name: str | None) -> Any:
    """The value of a field; None where there is none."""
    found = ABSENT if name is None else found_at(record, name)
    return None if found is ABSENT else found


def _has_words(text: str | None) -> bool:
    return text is not None and _WORD.search(text) is not None


def gathered(tables: list[pa.Table]) -> pa.Table:
    """The items of a benchmark, with the choices that were given by number, and unique ids."""
    first = _first_number(tables)
    items = pa.concat_tables([READ.empty_table(), *(_with_choices(table, first) for table in tables)])
    return items.set_column(1, ITEMS.field("item_id"), _unique(items.column("item_id"))).select(ITEMS.names)


def _first_number(tables: list[pa.Table]) -> int:
    """Whether choices are counted from 0 or 1: from 1 if no number is 0 and some is that of the choices."""
    reaches = False
    for table in tables:
        numbers = table.column("number")
        if pc.any(pc.equal(numbers, 0)).as_py():
            return 0
        reaches |= bool(pc.any(pc.equal(numbers, pc.list_value_length(table.column("choices")))).as_py())
    return int(reaches)


def _with_choices(table: pa.Table, first: int) -> pa.Table:
    """The table with the answers and labels of choices that were given by number."""
    table = table.combine_chunks()
    numbers = table.column("number").combine_chunks()
    if numbers.null_count == len(numbers):
        return table
    choices = table.column("choices").combine_chunks()
    sizes = choices.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    places = numbers.fill_null(-1).to_numpy(zero_copy_only=False) - first
    known = (places >= 0) & (places < sizes)
    starts = choices.offsets.to_numpy()[:-1]
    texts = choices.values.take(pa.array(starts + places, pa.int64(), mask=~known))
    letters = pa.array([letter(place) for place in range(max(1, int(sizes.max(initial=0))))], pa.string())
    labels = letters.take(pa.array(np.where(known, places, 0), pa.int64(), mask=~known))
    for name, found in (("answer", texts), ("label", labels)):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, READ.field(name), pc.coalesce(found, table.column(name)))
    return table


def _unique(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """The ids; of those that occur before, the second becomes `id#2`."""
    if pc.count_distinct(ids).as_py() == len(ids):
        return ids
    named = ids.to_pylist()
    used = set(named)
    seen: Counter[str] = Counter()
    unique = []
    for each in named:
        seen[each] += 1
        if seen[each] > 1:
            while f"{each}#{seen[each]}" in used:
                seen[each] += 1
            unique.append(f"{each}#{seen[each]}")
            used.add(unique[-1])
        else:
            unique.append(each)
    return pa.chunked_array([pa.array(unique, pa.string())])

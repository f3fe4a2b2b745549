"""Which documents are wanted: by verdict, source, group, language, signal, id; the rows of a part that are.

Every condition but a search is a range of a column's values, so a Parquet file's statistics say which of its
row groups can hold any, and only the columns that are asked about are read of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.stages.classify.percentile_verdicts import DOMAIN
from pipelines.stages.document_rows import Rows, row_groups
from pipelines.stages.parts import PartStage
from pipelines.stages.select import CLUSTER_SIZE, LANGUAGE, Select

REPEATING = ["reason", DOMAIN, LANGUAGE]
"""Columns of verdicts with few different values: each is compared once."""
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which documents; None and False mean any."""

    reason: str | None = None
    """How the reason begins for which they were dropped; empty: any reason."""
    source: str | None = None
    group: str | None = None
    kept: bool = False
    held_out: bool = False
    language: str | None = None
    signal: str | None = None
    """A number that is known of documents, of which they have `low` to `high`, both included."""
    low: float | None = None
    high: float | None = None
    doc_id: str | None = None
    kept_doc_id: str | None = None
    """What was kept in their place."""
    search: str | None = None
    """What their text holds, in capitals or not."""

    def of_verdicts(self) -> Iterator[Between]:
        """What is asked of a document's verdict."""
        for column, value in (
            ("doc_id", self.doc_id),
            ("kept_doc_id", self.kept_doc_id),
            (DOMAIN, self.group),
            (LANGUAGE, self.language),
            ("keep", True if self.kept else None if self.reason is None else False),
            ("held_out", True if self.held_out else False if self.kept else None),
        ):
            if value is not None:
                yield Between(column, value, value)
        if self.reason:
            yield Between("reason", self.reason, self.reason + LAST_CHARACTER)


@dataclass(frozen=True)
class Between:
    """The values of a column from `low` to `high`, both included, neither null nor NaN; None: no bound."""

    column: str
    low: Any
    high: Any

    def may_hold(self, of_group: pq.ColumnChunkMetaData) -> bool:
        """Whether a row group can hold such a value."""
        statistics = of_group.statistics
        if statistics is None or not statistics.has_min_max:
            return True
        low, high = self.low, self.high
        if of_group.physical_type == "FLOAT":
            low, high = (None if bound is None else float(np.float32(bound)) for bound in (low, high))
        return (low is None or statistics.max >= low) and (high is None or statistics.min <= high)

    def allows(self, value: Any) -> bool:
        """Whether it is such a value; of one that has both bounds."""
        return bool(self.low <= value <= self.high)

    def holds(self, values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Which of the values are such; numbers are compared as rules compare them."""
        masks = [self._holds(chunk) for chunk in values.chunks]
        return np.concatenate([np.empty(0, bool), *masks])

    def _holds(self, values: pa.Array) -> npt.NDArray[np.bool_]:
        if isinstance(values, pa.DictionaryArray):
            mask = pa.array(self._holds(values.dictionary)).take(values.indices)
        else:
            mask = pc.invert(pc.is_null(values, nan_is_null=True))
            kind = values.type if pa.types.is_floating(values.type) else None
            if self.low is not None:
                mask = pc.and_(mask, pc.greater_equal(values, pa.scalar(self.low, kind)))
            if self.high is not None:
                mask = pc.and_(mask, pc.less_equal(values, pa.scalar(self.high, kind)))
        return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), bool)


def matching_rows(parts: PartStage, select: Select, workdir: Path, part: str, filters: Filters) -> Rows:
    """The rows of a judged part that are wanted, ascending, whatever is searched in their texts."""
    of_verdicts = list(filters.of_verdicts())
    rows = None
    if of_verdicts or filters.signal is None:
        rows = _rows_with(select.path(workdir, f"{parts.scope}/{part}"), of_verdicts, None)
        if filters.signal is None or not len(rows):
            return rows
    holder = signal_holder(parts, select, workdir, part, filters.signal)
    if holder is None:
        return np.empty(0, np.int64)
    return _rows_with(holder, [Between(filters.signal, filters.low, filters.high)], rows)


def signal_holder(parts: PartStage, select: Select, workdir: Path, part: str, signal: str) -> Path | None:
    """The table that has a signal of a part's documents; None where it was not measured."""
    if signal in verdict_numbers(select):
        return select.path(workdir, f"{parts.scope}/{part}")
    for sidecar in select.source(parts.scope).annotations.sidecars:
        if signal in sidecar.columns:
            return sidecar.path(workdir, part)
    return None


def verdict_numbers(select: Select) -> list[str]:
    """The columns of verdicts that are numbers."""
    return ["similarity", CLUSTER_SIZE, *(f"{each.name}.percentile" for each in select.classifiers)]


def _rows_with(path: Path, conditions: list[Between], among: Rows | None) -> Rows:
    """The rows of a table for which all conditions hold, `among` these."""
    for each in conditions:
        if each.column in REPEATING and not any(map(each.allows, _values_in(path, each.column))):
            return np.empty(0, np.int64)
    repeating = [each.column for each in conditions if each.column in REPEATING]
    with pq.ParquetFile(path, read_dictionary=repeating) as file:
        groups, numbers = _possible(file.metadata, conditions, among)
        if not groups:
            return np.empty(0, np.int64)
        holds = np.ones(len(numbers), bool)
        if conditions:
            columns = [each.column for each in conditions]
            table = file.read_row_groups(groups, columns=columns, use_threads=False)
            for condition in conditions:
                holds &= condition.holds(table.column(condition.column))
    found = numbers[holds]
    return found if among is None else found[np.isin(found, among, assume_unique=True)]


@lru_cache(maxsize=1 << 17)
def _values_in(path: Path, column: str) -> tuple[str, ...]:
    """The different values of a column of a finished stage's file, which stays as it is."""
    with pq.ParquetFile(path, read_dictionary=[column]) as file:
        values = file.read([column], use_threads=False).column(0).unique().drop_null()
    return tuple(map(intern, values.to_pylist()))


def _possible(
    metadata: pq.FileMetaData, conditions: list[Between], among: Rows | None
) -> tuple[list[int], Rows]:
    """The row groups that can hold a row for which all conditions hold, and the numbers of their rows."""
    column_of = {metadata.schema.column(number).path: number for number in range(metadata.num_columns)}
    asked = [(condition, column_of[condition.column]) for condition in conditions]
    groups: list[int] = []
    numbers = [np.empty(0, np.int64)]
    first = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        after = first + group.num_rows
        wanted = among is None or np.searchsorted(among, first) < np.searchsorted(among, after)
        if wanted and all(condition.may_hold(group.column(place)) for condition, place in asked):
            groups.append(number)
            numbers.append(np.arange(first, after))
        first = after
    return groups, np.concatenate(numbers)


def searched(path: Path, rows: Rows, search: str) -> Iterator[tuple[Rows, Rows]]:
    """Of each row group that has any of the rows: these rows, and those whose text holds what is searched."""
    for here, table in row_groups(path, rows, ["text"]):
        found = pc.match_substring(table.column("text"), search, ignore_case=True)
        yield here, here[found.to_numpy()]

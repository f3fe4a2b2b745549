"""Equal values: which documents have a value in common, among more documents than memory holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters.dedup.exact import first_equal
from filters.text.values import value_hashes
from pipelines.execution.spill import Partitions, RowValues, partitions_for


def equal_values(folder: Path, name: str, tables: Iterable[pa.Table], rows: int) -> RowValues:
    """The rows whose value another one has too.

    Args:
        folder: A scratch folder.
        name: Of the files in it.
        tables: `value` (a string or binary, never null), `row` int64, ascending through all tables, and
            `place` int64.
        rows: How many rows the corpus has.

    Returns:
        `first`, the lowest row with the same value; and for that one `best`, the lowest place of them all.
    """
    found = RowValues(folder, name, rows)
    partitions = Partitions(folder, f"{name}-by-value", partitions_for(rows))
    for table in tables:
        hashes = [value_hashes(chunk) for chunk in table.column("value").chunks]
        hashed = np.concatenate([np.empty(0, np.uint64), *hashes])
        partitions.add(hashed % np.uint64(len(partitions)), table)
    for number in range(len(partitions)):
        for shared in _equal_values(partitions.tables(number)):
            found.add(shared)
        partitions.remove(number)
    return found


def _equal_values(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Of one partition. A value that very many have fills no memory: of each value one is held."""
    values: list[pa.Array] = []
    first, best, shared = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
    for table in tables:
        rows, places = table.column("row").to_numpy(), table.column("place").to_numpy()
        together = pa.concat_arrays([*values, table.column("value").combine_chunks()])
        earliest = first_equal(together)
        is_first = earliest == np.arange(len(together))
        group = (np.cumsum(is_first) - 1)[earliest][len(first) :]
        fresh = is_first[len(first) :]
        values = [together.filter(pa.array(is_first))]
        first, best = np.concatenate([first, rows[fresh]]), np.concatenate([best, places[fresh]])
        shared = np.concatenate([shared, np.zeros(fresh.sum(), bool)])
        np.minimum.at(best, group, places)
        shared[group[~fresh]] = True
        again = rows[~fresh]
        yield pa.table({"row": again, "first": first[group[~fresh]], "best": np.full(len(again), -1)})
    yield pa.table({"row": first[shared], "first": first[shared], "best": best[shared]})

"""Single documents of a part, by their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Rows = npt.NDArray[np.int64]


def row_groups(
    path: Path, rows: Rows, columns: Iterable[str] | None = None
) -> Iterator[tuple[Rows, pa.Table]]:
    """The documents at ascending `rows` of a part, from the row groups that hold any of them."""
    names = None if columns is None else list(columns)
    with pq.ParquetFile(path) as file:
        first = 0
        for number in range(file.num_row_groups):
            after = first + file.metadata.row_group(number).num_rows
            here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, after)]
            if len(here):
                yield here, file.read_row_group(number, names).take(pa.array(here - first))
            first = after


def table_at(path: Path, rows: Rows, columns: Iterable[str] | None = None) -> pa.Table:
    """The documents at some ascending rows of a part."""
    return pa.concat_tables(table for _, table in row_groups(path, rows, columns))


def documents_at(path: Path, rows: Rows, columns: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """The documents at ascending `rows` of a part."""
    return [document for _, table in row_groups(path, rows, columns) for document in table.to_pylist()]

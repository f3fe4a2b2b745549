"""The files of an index of benchmarks: one for each array, mapped into memory when they are read."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.contamination.index import Index, Sequences
from pipelines.execution.output import TaskOutput, read_arrow
from pipelines.execution.stage import Stage

FOLDER = "index"
NAMES = f"{FOLDER}/items.parquet"
PARTS = ("words", "code")


def write_index(index: Index, output: TaskOutput) -> None:
    """Write an index."""
    output.write_table(NAMES, index.items)
    for part in PARTS:
        for name, values in getattr(index, part)._asdict().items():
            output.write_arrow(_file(part, name), pa.table({name: values}))


def read_index(stage: Stage, workdir: Path) -> Index:
    """The index that a finished stage wrote."""
    return _read(stage.folder(workdir), tuple((name, stage.path(workdir, name)) for name in _files()))


def _files() -> list[str]:
    return [NAMES, *(_file(part, name) for part in PARTS for name in Sequences._fields)]


def _file(part: str, name: str) -> str:
    return f"{FOLDER}/{part}-{name}.arrow"


@lru_cache(maxsize=2)
def _read(folder: Path, paths: tuple[tuple[str, Path], ...]) -> Index:
    by_name = dict(paths)

    def sequences(part: str) -> Sequences:
        return Sequences(**{name: read_array(by_name[_file(part, name)]) for name in Sequences._fields})

    return Index(pq.read_table(by_name[NAMES]), *(sequences(part) for part in PARTS))


def read_array(path: Path) -> Any:
    """The numbers of a file of one column, without a copy."""
    column = read_arrow(path).column(0)
    if len(column) == 0:
        return np.empty(0, column.type.to_pandas_dtype())
    return column.chunk(0).to_numpy()

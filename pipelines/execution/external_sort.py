"""External sort: the order of more rows than memory holds, by sorted runs in files, which are merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.execution import spill

Column = npt.NDArray[Any]
Block = Sequence[Column]
SAMPLES_A_RUN = 1024
"""Rows of a run that are looked at to divide the merge into pieces."""


def sorted_rows(folder: Path, name: str, blocks: Iterable[Block]) -> Iterator[Column]:
    """The numbers of rows, some at a time, in ascending order of their keys; rows alike in all stay in order.

    Args:
        folder: A scratch folder.
        name: Of the files in it.
        blocks: The keys of some rows, the first one deciding, none of them NaN, and the rows' numbers last,
            which ascend through all blocks.
    """
    sorted_blocks = map(_sorted, _joined(blocks))
    first = next(sorted_blocks, None)
    second = next(sorted_blocks, None)
    if first is None:
        return
    if second is None:
        yield first[-1]
        return
    runs = [
        _Run(folder / f"{name}-{number:03d}", run)
        for number, run in enumerate(chain([first, second], sorted_blocks))
    ]
    del first, second
    cuts = [_cuts(run, _limits(runs)) for run in runs]
    for piece in range(len(cuts[0]) - 1):
        pieces = [run.between(*cut[piece : piece + 2]) for run, cut in zip(runs, cuts, strict=True)]
        yield _sorted([np.concatenate(column) for column in zip(*pieces, strict=True)])[-1]
    for run in runs:
        run.remove()


class _Run:
    """Sorted rows in a file for each column."""

    def __init__(self, path: Path, columns: Block) -> None:
        self._paths = [path.with_suffix(f".{number}") for number in range(len(columns))]
        self._types = [column.dtype for column in columns]
        self.rows = len(columns[-1])
        for file, column in zip(self._paths, columns, strict=True):
            column.tofile(file)

    def mapped(self) -> Block:
        """The columns, memory-mapped: to look at a few rows."""
        return [np.memmap(path, dtype) for path, dtype in zip(self._paths, self._types, strict=True)]

    def between(self, start: int, stop: int) -> Block:
        """Some of the rows."""
        return [
            np.fromfile(path, dtype, stop - start, offset=start * dtype.itemsize)
            for path, dtype in zip(self._paths, self._types, strict=True)
        ]

    def remove(self) -> None:
        """Give the room on the disk back."""
        for path in self._paths:
            path.unlink()


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks, joined to at least `ROWS_AT_ONCE` rows as far as there are so many."""
    waiting: list[Block] = []
    for block in blocks:
        waiting.append(block)
        if sum(len(block[-1]) for block in waiting) >= spill.ROWS_AT_ONCE:
            yield [np.concatenate(column) for column in zip(*waiting, strict=True)]
            waiting = []
    if any(len(block[-1]) for block in waiting):
        yield [np.concatenate(column) for column in zip(*waiting, strict=True)]


def _sorted(block: Block) -> Block:
    order = np.lexsort(block[-2::-1])  # its last key decides; it is stable
    return [column[order] for column in block]


def _limits(runs: Sequence[_Run]) -> Block:
    """Rows that divide all runs together into pieces of about `ROWS_AT_ONCE`."""
    samples = [
        [np.array(column[:: max(1, run.rows // SAMPLES_A_RUN)]) for column in run.mapped()] for run in runs
    ]
    together = [np.concatenate(column) for column in zip(*samples, strict=True)]
    order = np.lexsort(together[::-1])
    pieces = -(-sum(run.rows for run in runs) // spill.ROWS_AT_ONCE)
    places = np.linspace(0, len(order), pieces + 1).astype(np.int64)[1:-1]
    return [column[order[places]] for column in together]


def _cuts(run: _Run, limits: Block) -> list[int]:
    """Where the limits stand in a run; its beginning and its end too."""
    columns = run.mapped()
    found = [_place(columns, [limit[number] for limit in limits]) for number in range(len(limits[-1]))]
    return [0, *found, run.rows]


def _place(columns: Block, limit: Sequence[Any]) -> int:
    """How many rows are less than a limit."""
    start, stop = 0, len(columns[-1])
    for column, value in zip(columns, limit, strict=True):
        alike = column[start:stop]
        stop = start + int(np.searchsorted(alike, value, side="right"))
        start += int(np.searchsorted(alike, value))
    return start

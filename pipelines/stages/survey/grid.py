"""A grid over all numbers: histograms over it say exactly how many values reach each of its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int64]

EXPONENTS = range(-10, 15)
"""Of the numbers of two significant digits: from 1e-9 to 9.9e15; signals go from 0 to bytes of a document."""
KEY_BITS = 20
"""Leading bits of a float64 that choose where in the grid to look: 256 keys from 1 to 2, where the grid has
70 numbers."""
AT_ONCE = 1 << 15
"""Values that stay in the processor's cache."""


class Bounds(NamedTuple):
    """The bounds of cells: equal ones where the cell is a number, both NaN where values are missing."""

    low: Values
    high: Values


@dataclass(frozen=True)
class Grid:
    """Cell 2i+1 is the number `marks[i]`, cell 2i is what lies between `marks[i-1]` and it.

    The last cell is of missing values.
    """

    marks: Values
    """Ascending."""
    compared: Values
    """The same as values of the signal's own type have them, ended by NaN."""
    first: npt.NDArray[np.int32]
    """For each key the number of marks that have a lower one."""
    most: int
    """Marks of one key."""

    @classmethod
    def of(cls, thresholds: Iterable[float], dtype: Any = np.float64) -> Grid:
        """The numbers of two significant digits, zero, and some thresholds.

        Args:
            thresholds: Numbers that the grid is to have.
            dtype: The type that a signal's values have; a float32 is compared with marks as float32.
        """
        return _grid(tuple(sorted(set(thresholds))), np.dtype(dtype) == np.float32)

    def cells(self, values: npt.NDArray[Any]) -> Cells:
        """The cell of each value.

        Args:
            values: Numbers of any type; NaN is a missing value.
        """
        cells = np.empty(len(values), np.int64)
        for start in range(0, len(values), AT_ONCE):
            piece = values[start : start + AT_ONCE].astype(np.float64, copy=False)
            at = self.first[_keys(piece)]
            for _ in range(self.most):
                at += self.compared[at] < piece
            cells[start : start + AT_ONCE] = 2 * at + (self.compared[at] == piece)
        cells[np.isnan(values)] = self.missing
        return cells

    @property
    def missing(self) -> int:
        """The cell of missing values."""
        return 2 * len(self.marks) + 1

    def bounds(self, cells: Cells) -> Bounds:
        """The bounds of cells."""
        ends = np.concatenate([[-np.inf], self.marks, [np.inf, np.nan]])
        return Bounds(
            ends[(cells + 1) // 2 + (cells == self.missing)], ends[cells // 2 + 1 + (cells == self.missing)]
        )


@lru_cache(maxsize=64)
def _grid(thresholds: tuple[float, ...], narrow: bool) -> Grid:
    positive = np.array([float(f"{digits}e{e}") for e in EXPONENTS for digits in range(10, 100)])
    marks = np.unique(np.concatenate([-positive, [0.0], positive, np.array(thresholds, np.float64) + 0.0]))
    compared = marks.astype(np.float32).astype(np.float64) if narrow else marks
    numbers = np.bincount(_keys(compared), minlength=1 << KEY_BITS)
    first = (np.cumsum(numbers) - numbers).astype(np.int32)
    return Grid(marks, np.append(compared, np.nan), first, int(numbers.max()))


def _keys(values: Values) -> Cells:
    """The leading bits of values, so turned that a higher value never has a lower key."""
    bits = (values + 0.0).view(np.int64)  # a negative zero is none
    ascending = bits ^ ((bits >> 63) & np.int64(2**63 - 1))
    return (ascending >> (64 - KEY_BITS)) + (1 << (KEY_BITS - 1))

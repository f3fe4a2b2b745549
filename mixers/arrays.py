"""Arrays as long as the corpus: the caller says where they lie, and no copy of them is made on the way."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tokenizer_tools.compiled import compiled

Allocate = Callable[[int, DTypeLike], NDArray[Any]]
"""Makes an array of a length and a type, whatever it holds: `numpy.empty`, or one that maps a file."""

CHUNK = 1 << 20
"""Items that are worked on at once where numpy needs arrays for what it computes on the way."""


def chunks(count: int) -> Iterator[slice]:
    """The positions up to `count`, in runs of `CHUNK`."""
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def index_type(count: int) -> np.dtype[Any]:
    """The narrowest type that can number so many items."""
    return np.dtype(np.int32 if count < 2**31 else np.int64)


def numbers(start: int, stop: int, allocate: Allocate) -> NDArray[Any]:
    """The numbers from `start` to before `stop`."""
    out = allocate(stop - start, index_type(stop))
    for chunk in chunks(len(out)):
        out[chunk] = np.arange(start + chunk.start, start + chunk.stop)
    return out


def take(values: NDArray[Any], places: NDArray[Any], allocate: Allocate) -> NDArray[Any]:
    """``values[places]``."""
    out = allocate(len(places), values.dtype)
    for chunk in chunks(len(places)):
        out[chunk] = values[places[chunk]]
    return out


@compiled
def count_below(amounts, items, limit):  # type: ignore[no-untyped-def]
    """How many items, from the first on, amount to less than `limit` together.

    Args:
        amounts: what each item gives, by its number.
        items: numbers of items, in the order in which they are taken.
        limit: in the unit of the amounts.
    """
    total = 0
    for count in range(len(items)):
        total += amounts[items[count]]
        if total >= limit:
            return count
    return len(items)

"""What a signal is: a number that describes a document, computed once, compared with thresholds later."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.quality.documents import Documents


class Signal(NamedTuple):
    """A column of the signals table."""

    name: str
    type: pa.DataType
    doc: str


class Family(NamedTuple):
    """Signals that are computed together."""

    name: str
    version: int
    """To be raised when any of the signals takes another value for some text."""
    signals: tuple[Signal, ...]
    measure: Callable[[Documents, np.ndarray], None]
    """Fills the second argument, float64 of shape (documents, signals), for the documents in the first."""


def count(name: str, doc: str) -> Signal:
    """A signal that counts something."""
    return Signal(name, pa.int64(), doc)


def ratio(name: str, doc: str) -> Signal:
    """A signal that is a share or a mean; 0 where there is nothing to divide by."""
    return Signal(name, pa.float64(), doc)

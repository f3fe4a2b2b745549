"""A set of documents: a bit for each document of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
STEP = 1 << 20


class DocumentSet:
    """Numbers of documents."""

    def __init__(self, documents: int) -> None:
        self._bits = np.zeros(documents // 8 + 1, np.uint8)

    def add(self, documents: Numbers) -> None:
        """Add documents."""
        np.bitwise_or.at(self._bits, documents >> 3, np.left_shift(1, documents & 7).astype(np.uint8))

    def has(self, documents: Numbers) -> npt.NDArray[np.bool_]:
        """Which of these documents are in the set."""
        found: npt.NDArray[np.bool_] = (
            self._bits[documents >> 3] >> (documents & 7).astype(np.uint8)
        ) & 1 == 1
        return found

    def ascending(self) -> Iterator[npt.NDArray[np.int64]]:
        """The documents, some at a time."""
        for start in range(0, len(self._bits), STEP):
            bits = np.unpackbits(self._bits[start : start + STEP], bitorder="little")
            yield np.flatnonzero(bits) + 8 * start

    def __len__(self) -> int:
        return sum(map(len, self.ascending()))

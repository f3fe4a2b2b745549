"""How often each word of a corpus occurs, where a tokenizer never joins a word with what is beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.load import TokenizerFiles


@dataclass(frozen=True)
class WordCounts:
    """Distinct words, sorted, and how often each occurs; weighted counts need not be whole."""

    words: pa.LargeBinaryArray
    """UTF-8 of the normalised text."""
    counts: npt.NDArray[np.float64]


class WordCounter:
    """Counts the words of texts, for each group of texts apart, in bounded memory."""

    def __init__(self, base: TokenizerFiles) -> None:
        self._base = base

    def add(self, texts: pa.LargeStringArray | pa.ChunkedArray, group: str = "") -> None:
        """Count the words of texts of a group. Nulls count as no text."""
        raise NotImplementedError

    def counts(self, weights: Mapping[str, float] | None = None) -> WordCounts:
        """The words of all groups.

        Args:
            weights: Group to its relative weight in tokens of the base: counts are scaled so that each group
                has its share, and all together as many tokens as there were. A group without a weight counts
                nothing; one without words leaves its share to the others. None: counts as they are.
        """
        raise NotImplementedError

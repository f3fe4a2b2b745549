"""Percentiles: where a document's score stands among all, so that scores of different models compare.

Nemotron-CC (Su et al. 2024, arXiv 2412.02595, section 2.2) sorts the scores of each classifier into 20
buckets of equal size and takes the highest bucket that any classifier gives a document.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

VERSION = 1

Values = npt.NDArray[np.float64]


def percentiles(places: npt.NDArray[np.int64], judged: int) -> Values:
    """The share of `judged` documents with a lower place, in [0, 1); NaN where the place is -1."""
    return np.where(places >= 0, places / max(1, judged), np.nan)


def best(members: list[Values]) -> Values:
    """The highest percentile that any member gives; NaN where none gives one."""
    highest: Values = np.fmax.reduce(members)
    return highest


def buckets(values: Values, number: int) -> npt.NDArray[np.int64]:
    """Percentiles as `number` buckets of equal width, 0 the lowest; -1 for NaN."""
    found = np.floor(np.nan_to_num(values, nan=0.0) * number).astype(np.int64)
    return np.where(np.isnan(values), -1, np.minimum(found, number - 1))


def in_top(places: npt.NDArray[np.int64], share: float, judged: int) -> npt.NDArray[np.bool_]:
    """Which documents are in the top `share`: of `judged` ones exactly `share` * judged, rounded."""
    kept: npt.NDArray[np.bool_] = places >= judged - int(np.floor(share * judged + 0.5))
    return kept & (places >= 0)

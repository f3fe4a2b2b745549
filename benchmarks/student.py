"""Intervals over a few seeds."""

import numpy as np
import numpy.typing as npt

_STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""The 97.5 % quantile of Student's t by number of seeds."""


def half_interval(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Half the 95 % interval of the mean of `values` `[seeds, ...]`; 0 of a single seed."""
    seeds = np.asarray(values, np.float64)
    if len(seeds) < 2:
        return np.zeros(seeds.shape[1:])
    half: npt.NDArray[np.float64] = _STUDENT[len(seeds)] * seeds.std(axis=0, ddof=1) / len(seeds) ** 0.5
    return half

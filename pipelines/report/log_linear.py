"""A score as a straight line over the logarithm of tokens, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 3
"""Different numbers of tokens that a fit needs: two points lie on a line whatever they are."""
COVERAGE = 0.95


@dataclass(frozen=True)
class LogLinear:
    """score = a + b ln(tokens)."""

    a: float
    b: float
    b_interval: tuple[float, float]
    """The 95 % interval of b by Student's t distribution with points - 2 degrees of freedom, which takes the
    deviations of points as independent and of one variance."""
    r_squared: float | None
    """The share of the scores' variance that the line explains; None where they do not vary."""
    points: int

    def at(self, tokens: float) -> float:
        """The score on the line."""
        return self.a + self.b * math.log(tokens)


def fit(tokens: Sequence[float], scores: Sequence[float]) -> LogLinear | None:
    """The line through the points that have tokens; None for fewer than `FEWEST` different numbers."""
    from scipy.stats import t

    pairs = [(math.log(x), y) for x, y in zip(tokens, scores, strict=True) if x > 0]
    if len({x for x, _ in pairs}) < FEWEST:
        return None
    x, y = np.array(pairs).T
    dx, dy = x - x.mean(), y - y.mean()
    b = float(dx @ dy / (dx @ dx))
    rest, all_of_it = float(np.sum((dy - b * dx) ** 2)), float(dy @ dy)
    freedom = len(pairs) - 2
    reach = float(t.ppf((1 + COVERAGE) / 2, freedom)) * math.sqrt(rest / freedom / float(dx @ dx))
    return LogLinear(
        a=float(y.mean() - b * x.mean()),
        b=b,
        b_interval=(b - reach, b + reach),
        r_squared=1 - rest / all_of_it if all_of_it else None,
        points=len(pairs),
    )

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
    pairs = [(math.log(x), y) for x, y in zip(tokens, scores, strict=True) if x > 0]
    if len({x for x, _ in pairs}) < FEWEST:
        return None
    x, y = np.array(pairs).T
    dx, dy = x - x.mean(), y - y.mean()
    b = float(dx @ dy / (dx @ dx))
    rest, all_of_it = float(np.sum((dy - b * dx) ** 2)), float(dy @ dy)
    freedom = len(pairs) - 2
    reach = student_t(COVERAGE, freedom) * math.sqrt(rest / freedom / float(dx @ dx))
    return LogLinear(
        a=float(y.mean() - b * x.mean()),
        b=b,
        b_interval=(b - reach, b + reach),
        r_squared=1 - rest / all_of_it if all_of_it else None,
        points=len(pairs),
    )


def student_t(share: float, freedom: int) -> float:
    """The t within which, on both sides of 0, this share of Student's distribution lies.

    By bisection of its distribution function (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, freedom) < share else (low, angle)
    return math.tan(low) * math.sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """The share between -t and t, where t = tan(angle) √freedom."""
    odd = freedom % 2
    total, term = 0.0, math.cos(angle) if odd else 1.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * math.cos(angle) ** 2
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total

"""Ridge regression on weights and their logarithms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixers.search.features import features, nearness
from mixers.search.space import Array

PENALTIES = np.exp(np.linspace(-6, 6, 25))


@dataclass(frozen=True, kw_only=True, eq=False)
class Ridge:
    """The fitted regression."""

    centre: Array
    scale: Array
    level: float
    coefficients: Array
    covariance: Array
    """`[2 m, 2 m]` of the coefficients."""
    misfit: float
    """Variance of the law's own error at a mixture."""
    mean_error: float
    """Variance of the level."""

    def predict(self, weights: Array) -> tuple[Array, Array]:
        """The losses of mixtures `[n, m]`: mean `[n]` and covariance `[n, n]`."""
        scaled = (features(weights) - self.centre) / self.scale
        covariance = scaled @ self.covariance @ scaled.T + self.mean_error + self.misfit * nearness(weights)
        return self.level + scaled @ self.coefficients, covariance


def fit_ridge(weights: Array, losses: Array, noise: float = 0.0) -> Ridge:
    """Fit weights `[n, m]` to losses `[n]` measured with a variance of `noise`.

    The penalty is the one with the least error where each mixture is left out in turn.
    """
    found = features(weights)
    centre, scale = found.mean(axis=0), found.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    left, values, right = np.linalg.svd((found - centre) / scale, full_matrices=False)
    level, count = float(losses.mean()), len(losses)
    target = losses - level
    best = (np.inf, 0.0)
    for penalty in PENALTIES:
        shrink = values**2 / (values**2 + penalty)
        leverage = (left**2 * shrink).sum(axis=1) + 1 / count
        errors = (target - left @ (shrink * (left.T @ target))) / np.maximum(1 - leverage, 1e-3)
        best = min(best, (float((errors**2).mean()), float(penalty)))
    penalty = best[1]
    shrink = values**2 / (values**2 + penalty)
    squares = float(((target - left @ (shrink * (left.T @ target))) ** 2).sum())
    variance = max(squares / max(count - 1 - shrink.sum(), 1.0), noise)
    shrunk = right.T / (values**2 + penalty)
    outside = np.eye(len(centre)) - right.T @ right  # what no probe tells keeps its prior
    return Ridge(
        centre=centre,
        scale=scale,
        level=level,
        coefficients=shrunk @ (values * (left.T @ target)),
        covariance=variance * (shrunk @ right + outside / penalty),
        misfit=max(variance - noise, 0.0),
        mean_error=variance / count,
    )

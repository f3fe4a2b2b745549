"""Laws with parameters, fitted by least squares with a prior; the curvature says how sure they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from mixers.search.features import nearness
from mixers.search.space import Array

Formula = Callable[[Array, Array], tuple[Array, Array]]
"""Of parameters `[p]` and weights `[n, m]`: losses `[n]` and their derivatives `[n, p]`."""
LEAST_MISFIT = 0.02
"""Standard deviation of a law's own error, in those of the losses: no law is exact."""
ROUNDS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedFormula:
    """The posterior of a law's parameters, as a normal distribution around the best ones (Laplace)."""

    formula: Formula
    parameters: Array
    covariance: Array
    """`[p, p]` of the parameters."""
    misfit: float
    """Variance of the law's own error at a mixture."""
    level: float
    scale: float
    """Losses are `level + scale * formula`."""

    def predict(self, weights: Array) -> tuple[Array, Array]:
        """The losses of mixtures `[n, m]`: mean `[n]` and covariance `[n, n]`."""
        value, slopes = self.formula(self.parameters, weights)
        covariance = slopes @ self.covariance @ slopes.T + self.misfit * nearness(weights)
        return self.level + self.scale * value, self.scale**2 * covariance


def fit_formula(
    formula: Formula, prior: Array, spread: Array, weights: Array, losses: Array, noise: float
) -> FittedFormula:
    """Fit a formula to losses brought to mean 0 and standard deviation 1.

    Args:
        formula: Of the law.
        prior: `[p]`, what its parameters are expected to be, and where the search begins.
        spread: `[p]`, the standard deviation of that.
        weights: `[n, m]`.
        losses: `[n]`.
        noise: Variance of a measured loss.
    """
    level, scale = float(losses.mean()), float(losses.std()) or 1.0
    target = (losses - level) / scale
    error, parameters = 0.3, prior

    def residuals(values: Array) -> Array:
        return np.concatenate([(formula(values, weights)[0] - target) / error, (values - prior) / spread])

    def slopes(values: Array) -> Array:
        return np.vstack([formula(values, weights)[1] / error, np.diag(1 / spread)])

    for _ in range(ROUNDS):  # the error and the parameters in turn
        parameters = least_squares(residuals, parameters, jac=slopes, method="lm", max_nfev=100).x
        jacobian = slopes(parameters)
        covariance = np.linalg.inv(jacobian.T @ jacobian).astype(float)
        measured = jacobian[: len(losses)]
        used = float(np.einsum("ij,jk,ik->", measured, covariance, measured))
        squares = float(((formula(parameters, weights)[0] - target) ** 2).sum())
        free = max(len(losses) - used, 3.0)
        error = max((squares / free) ** 0.5, LEAST_MISFIT, noise**0.5 / scale)
    return FittedFormula(
        formula=formula, parameters=parameters, covariance=covariance,
        misfit=max(error**2 - noise / scale**2, LEAST_MISFIT**2), level=level, scale=scale,
    )  # fmt: skip

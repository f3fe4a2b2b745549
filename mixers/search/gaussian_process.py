"""A Gaussian process over the weights' logarithms, each with a length of its own.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapters 2 and 5. The prior is a ridge
regression on weights and their logarithms plus a smooth surface; lengths are drawn towards a common one, as
there are about as many groups as a third of the probes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from mixers.search.features import logarithms, nearness
from mixers.search.space import Array

LEVEL = 4.0
"""Prior variance of the mean, where that of the losses is 1."""
PRIOR = np.array([-1.0, 0.0, 0.0, -3.0])
"""Logarithms of the standard deviations of: weights, logarithms, surface, misfit."""
SPREAD = np.array([1.5, 1.5, 1.0, 1.0])
LENGTHS = 1.5
"""How far the common length may be from the expected one, as a standard deviation of the logarithm."""
OWN_LENGTHS = 1.0
"""How far the groups' lengths may be from the common one."""
LEAST_MISFIT = 1e-6
LEAST_WIDTH = 0.02
"""Of a group's logarithms: one that hardly any probe has cannot be what losses depend on."""
BOUND = 8.0
"""No parameter is farther than this from where it begins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernel:
    """Covariance of losses of mixtures, apart from misfit and noise."""

    centre: Array
    """`[2, m]`: mean of weights and logarithms."""
    scale: Array
    """`[2]`: standard deviation over all weights, and over all logarithms."""
    width: Array
    """`[m]`: standard deviation of each group's logarithm."""

    def parts(self, one: Array, other: Array) -> tuple[Array, Array, Array]:
        """Of weights and of logarithms `[n, k]`, and squared distances by group `[n, k, m]`."""
        groups = one.shape[1]
        weights = [(mixtures - self.centre[0]) / self.scale[0] for mixtures in (one, other)]
        logs = [(logarithms(mixtures) - self.centre[1]) / self.scale[1] for mixtures in (one, other)]
        near = [(logarithms(mixtures) - self.centre[1]) / self.width for mixtures in (one, other)]
        distances = (near[0][:, None] - near[1]) ** 2
        return weights[0] @ weights[1].T / groups, logs[0] @ logs[1].T / groups, distances


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcess:
    """The fitted process."""

    kernel: Kernel
    parameters: Array
    """Logarithms of standard deviations as in `PRIOR`, of the common precision, of each group's."""
    weights: Array
    factor: tuple[Array, bool]
    """Cholesky factor of the covariance of the measured losses."""
    solved: Array
    level: float
    scale: float

    def predict(self, weights: Array) -> tuple[Array, Array]:
        """The losses of mixtures `[n, m]`: mean `[n]` and covariance `[n, n]`."""
        between = self._covariance(weights, self.weights)
        covariance = self._covariance(weights, weights) - between @ cho_solve(self.factor, between.T)
        covariance += (np.exp(2 * self.parameters[3]) + LEAST_MISFIT) * nearness(weights)
        return self.level + self.scale * (between @ self.solved), self.scale**2 * covariance

    def _covariance(self, one: Array, other: Array) -> Array:
        linear, logs, distances = self.kernel.parts(one, other)
        variances = np.exp(2 * self.parameters[:3])
        surface = np.exp(-0.5 * distances @ np.exp(self.parameters[5:]))
        covariance: Array = variances[0] * linear + variances[1] * logs + variances[2] * surface + LEVEL
        return covariance


def fit_gaussian_process(weights: Array, losses: Array, noise: float = 0.0) -> GaussianProcess:
    """Fit the process to weights `[n, m]` and losses `[n]` that were measured with a variance of `noise`."""
    groups = weights.shape[1]
    level, scale = float(losses.mean()), float(losses.std()) or 1.0
    target, logs = (losses - level) / scale, logarithms(weights)
    kernel = Kernel(
        centre=np.stack([weights.mean(axis=0), logs.mean(axis=0)]),
        scale=np.array([weights.std(), logs.std()]) + 1e-9,
        width=np.hypot(logs.std(axis=0), LEAST_WIDTH),
    )
    parts, extra = kernel.parts(weights, weights), noise / scale**2 + LEAST_MISFIT
    expected = -np.log(groups)

    def objective(parameters: Array) -> tuple[float, Array]:
        value, slopes = _misprobability(parameters, parts, target, extra)
        off, own = (parameters[:4] - PRIOR) / SPREAD, (parameters[5:] - parameters[4]) / OWN_LENGTHS
        common = (parameters[4] - expected) / LENGTHS
        value += 0.5 * (off @ off + own @ own + common**2)
        slopes[:4] += off / SPREAD
        slopes[4] += common / LENGTHS - own.sum() / OWN_LENGTHS
        slopes[5:] += own / OWN_LENGTHS
        return value, slopes

    start = np.concatenate([PRIOR, np.full(1 + groups, expected)])
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(start - BOUND, start + BOUND, strict=True)),
        options={"maxiter": 100},
    ).x
    factor = cho_factor(_measured(found, parts, extra)[0], lower=True)
    return GaussianProcess(
        kernel=kernel, parameters=found, weights=weights, factor=factor, solved=cho_solve(factor, target),
        level=level, scale=scale,
    )  # fmt: skip


def _measured(parameters: Array, parts: tuple[Array, Array, Array], extra: float) -> tuple[Array, Array]:
    """The covariance of the measured losses, and the surface's part of it, both `[n, n]`."""
    linear, logs, distances = parts
    variances = np.exp(2 * parameters[:4])
    surface = variances[2] * np.exp(-0.5 * distances @ np.exp(parameters[5:]))
    plain = variances[0] * linear + variances[1] * logs + LEVEL
    return plain + surface + (variances[3] + extra) * np.eye(len(linear)), surface


def _misprobability(
    parameters: Array, parts: tuple[Array, Array, Array], target: Array, extra: float
) -> tuple[float, Array]:
    """The negative logarithm of the losses' probability, and its derivatives (equation 5.9)."""
    linear, logs, distances = parts
    covariance, surface = _measured(parameters, parts, extra)
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(len(target)))
    solved = inverse @ target
    value = 0.5 * target @ solved + np.log(np.diag(factor[0])).sum()
    gradient = 0.5 * (inverse - np.outer(solved, solved))
    variances = np.exp(2 * parameters[:4])
    slopes = np.zeros_like(parameters)
    slopes[0] = 2 * variances[0] * (gradient * linear).sum()
    slopes[1] = 2 * variances[1] * (gradient * logs).sum()
    slopes[2] = 2 * (gradient * surface).sum()
    slopes[3] = 2 * variances[3] * np.trace(gradient)
    slopes[5:] = (
        -0.5
        * np.exp(parameters[5:])
        * ((gradient * surface).ravel() @ distances.reshape(-1, distances.shape[2]))
    )
    return float(value), slopes

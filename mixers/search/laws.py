"""Laws of loss over mixtures: several kinds, fitted side by side and averaged.

To choose one kind by cross-validation does not help: few probes cannot tell them apart. They are
averaged instead, each with a share by how probable it made the probes that it had not seen (stacking of
predictive distributions: Yao et al. 2018, "Using Stacking to Average Bayesian Predictive Distributions"). The
same unseen probes say how wide the intervals must be, and how the errors for different targets go together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mixers.search.gaussian_process import fit_gaussian_process
from mixers.search.log_linear import fit_log_linear
from mixers.search.ridge import fit_ridge
from mixers.search.space import Array
from mixers.search.transfer import fit_transfer

FOLDS = 5
PRIOR_COUNT = 1.0
"""How many probes' worth of evidence the kinds share before any is seen."""
FENCE = 3.0
"""Interquartile ranges above the upper quartile, from where on a loss is far out (Tukey 1977, "Exploratory
Data Analysis")."""
STEPS = 200
COVERAGE = 0.95
NORMAL = 1.959964
"""Half the width of a standard normal's interval of `COVERAGE`."""
CHUNK = 256
"""Mixtures whose covariance is in memory at once."""
SHRINKAGE = 0.2
"""Of the correlations of errors towards their mean (Ledoit and Wolf 2004, "Honey, I Shrunk the Sample
Covariance Matrix")."""


class Posterior(Protocol):
    """A fitted law."""

    def predict(self, weights: Array) -> tuple[Array, Array]:
        """The losses of mixtures `[n, m]`: mean `[n]` and covariance `[n, n]`."""
        ...


Fit = Callable[[Array, Array, float], Posterior]
KINDS: dict[str, Fit] = {
    "ridge": fit_ridge,
    "log_linear": fit_log_linear,
    "transfer": fit_transfer,
    "gaussian_process": fit_gaussian_process,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Losses of `n` mixtures for `t` targets."""

    mean: Array
    """`[n, t]`."""
    deviation: Array
    """`[n, t]`: standard deviation of what a law does not know, without the noise of a measurement."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Laws:
    """One averaged law for each of `t` targets."""

    kinds: tuple[str, ...]
    fitted: tuple[tuple[Posterior, ...], ...]
    """For each target, one of each kind."""
    shares: Array
    """`[t, kinds]`: of each kind in the average."""
    widths: Array
    """`[t]`: by how much the kinds' own deviations are multiplied."""
    correlations: Array
    """`[t, t]`: of the errors."""

    def predict(self, weights: Array) -> Prediction:
        """The losses of mixtures `[n, m]`."""
        means, deviations = [], []
        for laws, shares, width in zip(self.fitted, self.shares, self.widths, strict=True):
            mean, deviation = _average(np.array([_moments(law, weights) for law in laws]), shares)
            means.append(mean)
            deviations.append(width * deviation)
        return Prediction(mean=np.array(means).T, deviation=np.array(deviations).T)

    def draw(self, weights: Array, count: int, rng: np.random.Generator) -> Array:
        """Losses that the mixtures `[n, m]` may have, all of them together: `[count, n, t]`.

        Every draw is of one kind for a target, so that what the kinds disagree in is in the spread.
        """
        targets, mixtures = len(self.fitted), len(weights)
        normal = rng.normal(size=(count, mixtures, targets)) @ np.linalg.cholesky(self.correlations).T
        chosen = rng.random(count)
        losses = np.empty_like(normal)
        for target, (laws, shares) in enumerate(zip(self.fitted, self.shares, strict=True)):
            found = [law.predict(weights) for law in laws]
            middle = sum(share * mean for share, (mean, _) in zip(shares, found, strict=True))
            kinds = np.minimum(np.searchsorted(np.cumsum(shares), chosen), len(laws) - 1)
            for kind, (mean, covariance) in enumerate(found):
                of_kind = kinds == kind
                if of_kind.any():
                    errors = (mean - middle) + normal[of_kind, :, target] @ _root(covariance).T
                    losses[of_kind, :, target] = middle + self.widths[target] * errors
        return losses


def fit_laws(weights: Array, losses: Array, noise: Array | None = None, *, seed: int = 17) -> Laws:
    """Fit the laws of `t` targets.

    Args:
        weights: `[n, m]`, the mixtures that were tried.
        losses: `[n, t]`.
        noise: `[t]`, variance of a measured loss where it is known, from replicates; what is not known is
            taken for a part of what a law cannot say.
        seed: Of the division into folds.
    """
    known = np.zeros(losses.shape[1]) if noise is None else noise
    folds = _folds(len(weights), seed)
    fitted, shares, widths, errors = [], [], [], []
    for target, variance in zip(fenced(losses).T, known, strict=True):
        unseen = np.array([_unseen(fit, weights, target, float(variance), folds) for fit in KINDS.values()])
        unseen[:, 1] = np.sqrt(unseen[:, 1] ** 2 + variance)
        shares.append(stacking_shares(unseen[:, 0], unseen[:, 1], target))
        mean, deviation = _average(unseen, shares[-1])
        errors.append((target - mean) / deviation)
        widths.append(np.quantile(np.abs(errors[-1]), COVERAGE) / NORMAL)
        fitted.append(tuple(fit(weights, target, float(variance)) for fit in KINDS.values()))
    return Laws(
        kinds=tuple(KINDS), fitted=tuple(fitted), shares=np.array(shares), widths=np.array(widths),
        correlations=_correlations(np.array(errors)),
    )  # fmt: skip


def fenced(losses: Array) -> Array:
    """Losses `[n, t]`, of which those far above the others for a target are lowered to where that begins.

    How bad the worst mixtures are says nothing of the best ones, and no law fits both: a mixture that teaches
    nothing, as all of it noise, would make every prediction unsure.
    """
    low, high = np.quantile(losses, (0.25, 0.75), axis=0)
    within: Array = np.minimum(losses, high + FENCE * (high - low))
    return within


def stacking_shares(means: Array, deviations: Array, losses: Array) -> Array:
    """The shares `[k]` of the kinds that make unseen losses most probable, by expectation maximization.

    Args:
        means: `[k, n]`, what each kind predicted.
        deviations: `[k, n]`.
        losses: `[n]`.
    """
    logs = -0.5 * ((losses - means) / deviations) ** 2 - np.log(deviations)
    densities = np.exp(logs - logs.max(axis=0))
    shares = np.full(len(means), 1 / len(means))
    for _ in range(STEPS):
        belongs = shares[:, None] * densities
        shares = (belongs / belongs.sum(axis=0)).sum(axis=1) + PRIOR_COUNT / len(means)
        shares /= shares.sum()
    return shares


def _correlations(errors: Array) -> Array:
    """Of errors `[t, n]`, whose mean is nothing: `[t, t]`."""
    standard = errors / np.sqrt((errors**2).sum(axis=1, keepdims=True))
    found = standard @ standard.T
    targets = len(found)
    common = max((found.sum() - targets) / max(targets * (targets - 1), 1), 0.0)
    prior = common + (1 - common) * np.eye(targets)
    correlations: Array = (1 - SHRINKAGE) * found + SHRINKAGE * prior
    return correlations


def _folds(count: int, seed: int) -> list[Array]:
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    return [np.sort(order[start::FOLDS]) for start in range(min(FOLDS, count))]


def _unseen(fit: Fit, weights: Array, losses: Array, noise: float, folds: list[Array]) -> Array:
    """`[2, n]`: mean and deviation of each loss by a fit to the other folds."""
    found = np.empty((2, len(losses)))
    for fold in folds:
        others = np.setdiff1d(np.arange(len(losses)), fold)
        found[:, fold] = _moments(fit(weights[others], losses[others], noise), weights[fold])
    return found


def _moments(law: Posterior, weights: Array) -> Array:
    """`[2, n]`: mean and deviation."""
    found = []
    for start in range(0, len(weights), CHUNK):
        mean, covariance = law.predict(weights[start : start + CHUNK])
        found.append(np.stack([mean, np.sqrt(np.maximum(np.diag(covariance), 0.0))]))
    return np.hstack(found)


def _average(found: Array, shares: Array) -> tuple[Array, Array]:
    """Mean and deviation `[n]` of the mixture of the kinds' distributions `[k, 2, n]`."""
    mean = shares @ found[:, 0]
    return mean, np.sqrt(shares @ (found[:, 1] ** 2 + (found[:, 0] - mean) ** 2))


def _root(covariance: Array) -> Array:
    """The symmetric root `[n, n]` of a covariance, which may be singular.

    Of all roots it is the one by which the same normal numbers are the same error for similar covariances.
    """
    values, vectors = np.linalg.eigh(covariance)
    root: Array = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return root

"""The transfer law: loss = c + a (t . weights)^-b.

A power law of the amount of text that teaches a target, of which a token of group j is worth t_j.
Hernandez et al. 2021, "Scaling Laws for Transfer"; for mixtures Shukor et al. 2025, "Scaling Laws for Optimal
Data Mixtures", here with one exponent for all groups.
"""

from __future__ import annotations

import numpy as np

from mixers.search.parametric import FittedFormula, fit_formula
from mixers.search.space import Array

EXPONENT = 0.3


def formula(parameters: Array, weights: Array) -> tuple[Array, Array]:
    """Losses `[n]` and derivatives `[n, 3 + m]` for the parameters c, log a, log b, log t."""
    worth = np.exp(np.clip(parameters[3:], -30, 30))
    amount = weights @ worth
    exponent = np.exp(np.clip(parameters[2], -5, 3))
    above = np.exp(np.clip(parameters[1] - exponent * np.log(amount), -30, 30))
    slopes = [np.ones_like(above), above, -above * exponent * np.log(amount)]
    return parameters[0] + above, np.column_stack(
        [*slopes, -(exponent * above / amount)[:, None] * weights * worth]
    )


def fit_transfer(weights: Array, losses: Array, noise: float = 0.0) -> FittedFormula:
    """Fit the law to weights `[n, m]` and losses `[n]` that were measured with a variance of `noise`."""
    groups = weights.shape[1]
    prior = np.concatenate([[-2.0, 0.0, np.log(EXPONENT)], np.full(groups, -2.0)])
    spread = np.concatenate([[2.0, 1.5, 1.0], np.full(groups, 2.5)])
    return fit_formula(formula, prior, spread, weights, losses, noise)

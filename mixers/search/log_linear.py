"""The log-linear law: loss = c + exp(t . weights).

Ye et al. 2024, "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance".
"""

from __future__ import annotations

import numpy as np

from mixers.search.parametric import FittedFormula, fit_formula
from mixers.search.space import Array

STEEPEST = 30.0


def formula(parameters: Array, weights: Array) -> tuple[Array, Array]:
    """Losses `[n]` and derivatives `[n, 1 + m]` for the parameters c, t."""
    above = np.exp(np.clip(weights @ parameters[1:], -STEEPEST, STEEPEST))
    return parameters[0] + above, np.hstack([np.ones((len(weights), 1)), above[:, None] * weights])


def fit_log_linear(weights: Array, losses: Array, noise: float = 0.0) -> FittedFormula:
    """Fit the law to weights `[n, m]` and losses `[n]` that were measured with a variance of `noise`."""
    groups = weights.shape[1]
    prior = np.concatenate([[-2.0], np.full(groups, 0.7)])  # exp(t) is 2: c lies two deviations below
    return fit_formula(formula, prior, np.concatenate([[2.0], np.full(groups, 2.0)]), weights, losses, noise)

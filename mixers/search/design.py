"""Which mixtures to try: a D-optimal design of mixed probes.

The design is the one from which a regression on weights and their logarithms learns most: it maximizes the
determinant of that regression's information (Fedorov 1972, "Theory of Optimal Experiments"), with a prior, so
that there may be fewer probes than coefficients (DuMouchel and Jones 1994, "A Simple Bayesian Modification of
D-Optimal Designs"). A Gaussian process over the logarithms is part of the regression: it is what keeps the
probes from gathering in corners (Shewry and Wynn 1987, "Maximum Entropy Sampling").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixers.search.features import logarithms
from mixers.search.space import Array, Space

CANDIDATES = 1000
FLOOR = 0.03
"""Of the logarithms; higher than that of the laws, or most probes would be at weights next to none."""
NOISE = 0.01
"""Variance of a measured loss, where that of a law over the space is about 1."""
ROUNDS = 20


def most_probes(groups: int) -> int:
    """How many probes a search may use."""
    return 3 * (groups + 1)


def design(space: Space, probes: int, given: Array | None = None, *, seed: int) -> Array:
    """Mixtures to try, `[probes, m]`: those of `given` `[k, m]`, such as the user's own, come first.

    Raises:
        ValueError: Fewer than one probe besides the given ones, or more than `most_probes`.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    given = np.empty((0, space.groups)) if given is None else given
    if not len(given) < probes <= most_probes(space.groups):
        fewest, most = len(given) + 1, most_probes(space.groups)
        raise ValueError(f"{probes} probes for {space.groups} groups: there may be {fewest} to {most}.")
    pool = np.vstack([given, space.sample(CANDIDATES, rng)])
    return pool[choose(pool, probes, fixed=len(given))]


def choose(pool: Array, probes: int, *, fixed: int = 0) -> npt.NDArray[np.int64]:
    """The numbers of a D-optimal part of a pool `[n, m]`; its first `fixed` rows are in it.

    Probes are taken one by one, each where the loss is least known given the others; then each is taken out
    and replaced by the best there is, until nothing changes (Fedorov's exchange).
    """
    covariance = _prior_covariance(pool)
    chosen = list(range(fixed))
    while len(chosen) < probes:
        chosen.append(int(np.argmax(_variances(covariance, chosen))))
    for _ in range(ROUNDS):
        before = list(chosen)
        for place in range(fixed, probes):
            others = chosen[:place] + chosen[place + 1 :]
            chosen[place] = int(np.argmax(_variances(covariance, others)))
        if chosen == before:
            break
    return np.array(chosen, dtype=np.int64)


def _prior_covariance(pool: Array) -> Array:
    """`[n, n]`: of the losses of mixtures, before anything is measured; on average 1 around their mean."""
    logs = logarithms(pool, FLOOR)
    linear = np.hstack([pool, logs])
    linear = (linear - linear.mean(axis=0)) / np.sqrt(linear.var(axis=0).sum() + 1e-12)
    logs = logs - logs.mean(axis=0)
    squares = (logs**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * logs @ logs.T, 0.0)
    surface = np.exp(-distances / (2 * squares.mean() + 1e-12))
    covariance: Array = 1.0 + 0.5 * linear @ linear.T + 0.5 * surface
    return covariance


def _variances(covariance: Array, chosen: list[int]) -> Array:
    """`[n]`: how uncertain the loss of each mixture is when those of `chosen` are measured.

    The determinant grows by the factor of this variance and the noise when a mixture is added.
    """
    rows = covariance[chosen]
    known = rows[:, chosen] + NOISE * np.eye(len(chosen))
    left: Array = np.diag(covariance) - (rows * np.linalg.solve(known, rows)).sum(axis=0)
    left[chosen] -= NOISE  # another run of the same mixture only where nothing else is as uncertain
    return left

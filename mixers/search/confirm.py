"""The confirm round: the best predicted mixtures and the user's own were really run; which one is best?

What the laws predict and what the runs measured are both uncertain; they are joined as normal distributions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixers.search.laws import NORMAL, Laws
from mixers.search.optimum import Aim
from mixers.search.space import Array

DRAWS = 4000
CARRIED = 2.0
"""By how much less sure the laws are of the runs than of further probes, as runs are longer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Confirmation:
    """What is known of `k` mixtures after they were run beside the user's own."""

    best: int | None
    """The number of the best one that keeps the guards; None: no significant difference from the own."""
    gain: Array
    """`[k]`: by how much the aim's value is below that of the own mixture."""
    gain_interval: Array
    """`[k, 2]`, of 95 %."""
    above: Array
    """`[k, t]`: loss above that of the own mixture."""
    above_interval: Array
    """`[k, t, 2]`."""
    keeps: npt.NDArray[np.bool_]
    """`[k]`: whether the guards are kept."""


def confirm(
    laws: Laws,
    own: Array,
    mixtures: Array,
    own_losses: Array,
    losses: Array,
    noise: Array,
    aim: Aim,
    *,
    seed: int,
) -> Confirmation:
    """Join predictions and results.

    Args:
        laws: Of `t` targets, fitted to the probes.
        own: `[m]`, the user's mixture.
        mixtures: `[k, m]`, those that were run.
        own_losses: `[t]`, measured with the own mixture.
        losses: `[k, t]`, measured with the others.
        noise: `[t]`, variance of a measured loss, from runs with other seeds.
        aim: What is best.
        seed: Of the draws.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = laws.draw(np.vstack([own, mixtures]), DRAWS, rng)
    predicted, measured = drawn[:, 1:] - drawn[:, :1], losses - own_losses
    shares = aim.shares / aim.shares.sum()
    mean, deviation = _join(aim.value(predicted), aim.value(measured), float(noise @ shares**2))
    joined = [
        _join(predicted[..., target], measured[:, target], float(variance))
        for target, variance in enumerate(noise)
    ]
    above, above_deviation = (np.array(part).T for part in zip(*joined, strict=True))
    gain_interval = _interval(-mean, deviation)
    keeps = aim.keeps(above)
    best = int(np.argmax(np.where(keeps, -mean, -np.inf)))
    return Confirmation(
        best=best if keeps[best] and gain_interval[best, 0] > 0 else None,
        gain=-mean,
        gain_interval=gain_interval,
        above=above,
        above_interval=_interval(above, above_deviation),
        keeps=keeps,
    )


def _join(predicted: Array, measured: Array, noise: float) -> tuple[Array, Array]:
    """Mean and deviation `[k]` of differences that were drawn `[draws, k]` and measured `[k]`.

    All measured ones are from one run of the own mixture, whose noise they share.
    """
    count = len(measured)
    prior = CARRIED**2 * np.cov(predicted.T).reshape(count, count)
    gain = np.linalg.solve(prior + noise * (np.eye(count) + 1), prior).T
    mean = predicted.mean(axis=0)
    return mean + gain @ (measured - mean), np.sqrt(np.maximum(np.diag(prior - gain @ prior), 0.0))


def _interval(mean: Array, deviation: Array) -> Array:
    return np.stack([mean - NORMAL * deviation, mean + NORMAL * deviation], axis=-1)

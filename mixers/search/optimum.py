"""The best mixtures by the laws within the guards, and how sure their weights are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixers.search.laws import Laws
from mixers.search.space import Array, Space

SAMPLES = 1500
"""Mixtures from all over the space."""
SPREADS = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1)
"""How far from the best ones others are looked for, round by round."""
PARENTS = 150
POOL, ELSEWHERE = 250, 100
"""Mixtures that are weighed against each other with all that the laws leave open: good ones, and any."""
DRAWS = 1000
MIDDLE = 50
"""Good mixtures whose mean is one, too: there, groups that are alike share their weight."""
KEPT = 0.8
"""A mixture is allowed when it keeps the guards with this probability."""
APART = 0.05
"""Share of tokens in which mixtures to confirm differ at least."""
EVEN = 0.01
"""Of a mixture's own gain in the choice: where no other is likely to be best, the better one is taken."""
ENDS = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True, eq=False)
class Aim:
    """What is best: the least mean loss of some targets while others do not suffer."""

    shares: Array
    """`[t]`: of each target in the mean."""
    most_above: Array
    """`[t]`: how far each target's loss may be above that of the user's own mixture; infinity: any."""

    def value(self, losses: Array) -> Array:
        """The mean `[...]` of losses `[..., t]`."""
        value: Array = losses @ self.shares / self.shares.sum()
        return value

    def keeps(self, above: Array) -> npt.NDArray[np.bool_]:
        """Whether losses above those of the own mixture `[..., t]` keep the guards."""
        kept: npt.NDArray[np.bool_] = np.all(above <= self.most_above, axis=-1)
        return kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposals:
    """The best `k` mixtures of `m` groups besides the own one."""

    mixtures: Array
    """`[k, m]`, the best one first; fewer than asked for, or none, where no others keep the guards."""
    gain: Array
    """`[k]`: by how much the aim's value is predicted to be below that of the own mixture."""
    gain_interval: Array
    """`[k, 2]`, of 95 %."""
    above: Array
    """`[k, t]`: predicted loss above that of the own mixture."""
    above_interval: Array
    """`[k, t, 2]`."""
    weight_interval: Array
    """`[m, 2]`: where the best weights are in 95 % of what the laws leave open."""


def propose(laws: Laws, space: Space, own: Array, aim: Aim, *, count: int = 3, seed: int) -> Proposals:
    """Find the best mixtures of a space.

    Args:
        laws: Of `t` targets.
        space: Of `m` groups.
        own: `[m]`, the user's mixture; it is a candidate like any other.
        aim: What is best.
        count: How many mixtures are wanted.
        seed: Of the search.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    pool = np.vstack([own, _promising(laws, space, own, aim, rng)])
    losses = laws.draw(pool, DRAWS, rng)
    above = losses - losses[:, :1]
    kept = aim.keeps(above)
    allowed = kept.mean(axis=0) >= KEPT
    allowed[0], kept[:, 0] = True, True
    pool, above, kept = pool[allowed], above[:, allowed], kept[:, allowed]
    gains = -aim.value(above)
    best = 1 + best_together(gains[:, 1:], pool[1:], count)
    reached = pool[np.argmax(np.where(kept, gains, -np.inf), axis=1)]
    return Proposals(
        mixtures=pool[best],
        gain=gains[:, best].mean(axis=0),
        gain_interval=_interval(gains[:, best]),
        above=above[:, best].mean(axis=0),
        above_interval=_interval(above[:, best]),
        weight_interval=_interval(reached),
    )


def best_together(gains: Array, mixtures: Array, count: int) -> npt.NDArray[np.int64]:
    """The numbers of mixtures of which the best one is expected to be best, when all of them are tried.

    The first is the best one by itself. Each further one adds most to the expected gain of the best of them
    (expected improvement of several points at once: Ginsbourger et al. 2010, "Kriging Is Well-Suited to
    Parallelize Optimization"), so it may well be better where the others are not.

    Args:
        gains: `[draws, n]`, what each mixture may gain.
        mixtures: `[n, m]`.
        count: How many are wanted; there are fewer when no others are `APART`.
    """
    reached = np.full((len(gains), 1), -np.inf)
    free = np.ones(len(mixtures), bool)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        together = np.maximum(gains, reached).mean(axis=0) + EVEN * gains.mean(axis=0)
        chosen.append(int(np.argmax(np.where(free, together, -np.inf))))
        reached = np.maximum(reached, gains[:, chosen[-1:]])
        free &= np.abs(mixtures - mixtures[chosen[-1]]).sum(axis=1) / 2 >= APART
    return np.array(chosen, dtype=np.int64)


def _promising(laws: Laws, space: Space, own: Array, aim: Aim, rng: np.random.Generator) -> Array:
    """Mixtures `[n, m]` that are good by the laws or may be within what they leave open, and others."""
    here = laws.predict(own[None])

    def costs(mixtures: Array) -> Array:
        """`[n, 2]`: the predicted value, and the least that it may well be; infinite where a guard breaks."""
        found = laws.predict(mixtures)
        value, reach = aim.value(found.mean), aim.value(found.deviation)
        kept = aim.keeps(found.mean - here.mean)
        return np.where(kept[:, None], np.stack([value, value - reach], axis=1), np.inf)

    near = space.around(np.repeat(own[None], PARENTS, axis=0), SPREADS[0], rng)
    pool = np.vstack([space.sample(SAMPLES, rng), near])
    cost = costs(pool)
    for spread in SPREADS:
        parents = pool[_first(cost, PARENTS)]
        children = space.around(parents, spread, rng)
        pool, cost = np.vstack([pool, children]), np.vstack([cost, costs(children)])
    good = pool[_first(cost, POOL)]
    return np.vstack([good[:MIDDLE].mean(axis=0), good, space.sample(ELSEWHERE, rng)])


def _first(costs: Array, count: int) -> npt.NDArray[np.int64]:
    """The numbers of the `count` rows that are first, by either of the columns `[n, 2]`."""
    ranks = np.argsort(np.argsort(costs, axis=0, kind="stable"), axis=0)
    return np.argsort(ranks.min(axis=1), kind="stable")[:count]


def _interval(draws: Array) -> Array:
    """`[..., 2]` of `[draws, ...]`."""
    return np.moveaxis(np.quantile(draws, ENDS, axis=0), 0, -1)

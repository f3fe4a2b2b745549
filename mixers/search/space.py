"""The allowed mixtures: weights that add up to 1, each between its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

CONCENTRATIONS = (0.2, 0.5, 1.0, 3.0)
"""Of the Dirichlet distributions that mixtures are drawn from: few groups to nearly even."""
TOLERANCE = 1e-9


class SpaceError(ValueError):
    """No mixture keeps the bounds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """Mixtures of `m` groups: `lower <= weights <= upper`, `weights.sum() == 1`."""

    lower: Array
    """`[m]`."""
    upper: Array
    """`[m]`."""

    def __post_init__(self) -> None:
        if self.lower.shape != self.upper.shape or self.lower.ndim != 1 or not len(self.lower):
            raise SpaceError("There must be one lower and one upper bound for each group.")
        if not (np.all(self.lower >= 0) and np.all(self.lower <= self.upper) and np.all(self.upper <= 1)):
            raise SpaceError("Bounds must be 0 <= lower <= upper <= 1.")
        if self.lower.sum() > 1 + TOLERANCE or self.upper.sum() < 1 - TOLERANCE:
            raise SpaceError(
                f"No mixture keeps the bounds: the lower ones add up to {self.lower.sum():.4g}, "
                f"the upper ones to {self.upper.sum():.4g}."
            )

    @classmethod
    def of_stage(
        cls, available: Array, epochs: Array | float, tokens: float, lower: Array | float = 0.0
    ) -> Self:
        """What a stage of `tokens` can be made of, where no group is repeated more than `epochs` times.

        Args:
            available: `[m]`, tokens that each group has.
            epochs: `[m]` or one for all.
            tokens: Of the stage.
            lower: `[m]` or one for all: the least weight.
        """
        upper = np.minimum(1.0, epochs * np.asarray(available, float) / tokens)
        return cls(lower=np.broadcast_to(np.asarray(lower, float), upper.shape), upper=upper)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.lower)

    def contains(self, weights: Array, tolerance: float = 1e-6) -> npt.NDArray[np.bool_]:
        """Whether each row of `[n, m]` is an allowed mixture."""
        inside = (weights >= self.lower - tolerance) & (weights <= self.upper + tolerance)
        whole = np.abs(weights.sum(axis=-1, keepdims=True) - 1) <= tolerance
        allowed: npt.NDArray[np.bool_] = np.all(inside & whole, axis=-1)
        return allowed

    def share(self, amounts: Array) -> Array:
        """The allowed mixtures nearest in proportion to `amounts` `[n, m]`, which are not negative.

        Every row is scaled by one factor and cut off at the bounds; the factor at which the sum is 1 is found
        by halving. Allowed mixtures are not changed.
        """
        amounts = np.maximum(amounts / amounts.sum(axis=-1, keepdims=True), 1e-12)
        low, high = np.full((len(amounts), 1), -30.0), np.full((len(amounts), 1), 30.0)
        for _ in range(80):
            middle = (low + high) / 2
            above = np.clip(amounts * np.exp(middle), self.lower, self.upper).sum(1, keepdims=True) > 1
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        shared: Array = np.clip(amounts * np.exp(low), self.lower, self.upper)
        return shared

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Mixtures `[count, m]` from all over the space, of few groups and of many."""
        each = np.resize(np.array(CONCENTRATIONS), count)
        return self.share(rng.gamma(each[:, None], size=(count, self.groups)) + 1e-12)

    def around(self, centres: Array, spread: float, rng: np.random.Generator) -> Array:
        """One mixture near each of `centres` `[n, m]`: weights change by about the factor `exp(spread)`.

        A part of a flat mixture is mixed in, so that groups without a weight can get one.
        """
        flat = rng.dirichlet(np.ones(self.groups), size=len(centres))
        part = rng.uniform(0, spread / 4, size=(len(centres), 1))
        return self.share(centres * np.exp(spread * rng.normal(size=centres.shape)) + part * flat)

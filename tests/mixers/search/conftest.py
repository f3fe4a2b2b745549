from dataclasses import dataclass

import numpy as np
import pytest

from mixers.search.design import design
from mixers.search.laws import Laws, fit_laws
from mixers.search.optimum import Aim, Proposals, propose
from mixers.search.space import Array, Space

NOISE = 0.005


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Two targets; groups: one that helps the first, its copy, one that helps the second, a useless one."""

    space: Space
    own: Array
    weights: Array
    laws: Laws

    @staticmethod
    def truth(weights: Array) -> Array:
        worth = np.array([[1.0, 1.0, 0.05, 0.0], [0.05, 0.05, 1.0, 0.0]]) + 0.01
        return 2 + (weights @ worth.T) ** -0.25

    def measure(self, weights: Array, seed: int) -> Array:
        return self.truth(weights) + NOISE * np.random.default_rng(seed).normal(size=(len(weights), 2))


@pytest.fixture(scope="session")
def planted() -> Planted:
    space, own = Space(lower=np.zeros(4), upper=np.ones(4)), np.full(4, 0.25)
    weights = design(space, 15, own[None], seed=1)
    losses = Planted.truth(weights) + NOISE * np.random.default_rng(0).normal(size=(15, 2))
    return Planted(
        space=space, own=own, weights=weights, laws=fit_laws(weights, losses, np.full(2, NOISE**2))
    )


@pytest.fixture(scope="session")
def aim() -> Aim:
    return Aim(shares=np.ones(2), most_above=np.full(2, np.inf))


@pytest.fixture(scope="session")
def proposals(planted: Planted, aim: Aim) -> Proposals:
    return propose(planted.laws, planted.space, planted.own, aim, seed=1)

"""Weights as the laws and the design see them: with their logarithms."""

from __future__ import annotations

import numpy as np

from mixers.search.space import Array

FLOOR = 1e-3
"""Added to a weight before its logarithm is taken: below about this share a group counts as absent."""
REACH = 0.15
"""How far apart mixtures are of which a law is wrong in ways of its own; about a share of the tokens."""


def logarithms(weights: Array, floor: float = FLOOR) -> Array:
    """`[n, m]` from 0 (absent) to 1 (nothing else)."""
    scaled: Array = 1 - np.log(weights + floor) / np.log(floor)
    return scaled


def features(weights: Array) -> Array:
    """`[n, 2 m]`: weights and their logarithms."""
    return np.hstack([weights, logarithms(weights)])


def nearness(weights: Array) -> Array:
    """`[n, n]`, from 0 to 1: how far a law is wrong alike at two mixtures, by Hellinger's distance."""
    roots = np.sqrt(weights)
    cosines = np.minimum(roots @ roots.T, 1.0)
    near: Array = np.exp((cosines - 1) / REACH**2)
    return near

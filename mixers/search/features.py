"""Weights as the laws and the design see them: with their logarithms."""

from __future__ import annotations

import numpy as np

from mixers.search.space import Array

FLOOR = 1e-3
"""Added to a weight before its logarithm is taken: below about this share a group counts as absent."""


def logarithms(weights: Array, floor: float = FLOOR) -> Array:
    """`[n, m]` from 0 (absent) to 1 (nothing else)."""
    scaled: Array = 1 - np.log(weights + floor) / np.log(floor)
    return scaled


def features(weights: Array) -> Array:
    """`[n, 2 m]`: weights and their logarithms."""
    return np.hstack([weights, logarithms(weights)])

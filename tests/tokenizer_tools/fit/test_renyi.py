import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer_tools.fit.renyi import renyi_efficiency


def of(counts, vocabulary):
    return float(renyi_efficiency(np.array(counts), np.zeros(len(counts), int), 1, vocabulary)[0])


def test_it_is_the_formula():
    power = 0.75**2.5 + 0.25**2.5
    assert of([3, 1], 16) == pytest.approx(math.log2(power) / (1 - 2.5) / 4)


def test_even_use_of_the_whole_vocabulary_is_one_and_of_one_token_nothing():
    assert of([7] * 64, 64) == pytest.approx(1)
    assert of([7] * 8, 64) == pytest.approx(0.5)
    assert of([9], 64) == 0


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=50))
def test_it_lies_between_none_and_one(counts):
    assert 0 <= of(counts, 50) <= 1 + 1e-9


def test_groups_are_apart_and_an_empty_one_has_none():
    found = renyi_efficiency(np.array([1, 1, 5]), np.array([0, 0, 2]), 3, 4)
    assert found[0] == pytest.approx(0.5) and np.isnan(found[1]) and found[2] == 0

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixers.search.space import Space, SpaceError


@st.composite
def spaces(draw):
    groups = draw(st.integers(2, 6))
    lower = np.array(draw(st.lists(st.floats(0, 1 / groups), min_size=groups, max_size=groups)))
    upper = np.array(draw(st.lists(st.floats(1 / groups, 1), min_size=groups, max_size=groups)))
    return Space(lower=lower, upper=upper)


@settings(max_examples=40)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_samples_and_their_neighbours_lie_in_the_space(space, seed):
    rng = np.random.default_rng(seed)
    sample = space.sample(40, rng)
    assert space.contains(sample).all()
    assert space.contains(space.around(sample, 0.7, rng)).all()


@settings(max_examples=40)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_an_allowed_mixture_is_shared_as_it_is(space, seed):
    sample = space.sample(10, np.random.default_rng(seed))
    np.testing.assert_allclose(space.share(sample), sample, atol=1e-9)


def test_what_is_cut_off_goes_to_the_others_in_proportion():
    space = Space(lower=np.array([0.0, 0.0, 0.1]), upper=np.array([0.5, 1.0, 1.0]))
    np.testing.assert_allclose(space.share(np.array([[8.0, 1.0, 1.0]])), [[0.5, 0.25, 0.25]], atol=1e-9)


def test_repeats_bound_a_group_from_above():
    space = Space.of_stage(np.array([10.0, 50.0, 1000.0]), 4.0, tokens=400.0)
    np.testing.assert_allclose(space.upper, [0.1, 0.5, 1.0])


@pytest.mark.parametrize(
    "lower, upper",
    [([0.0, 0.0], [0.4, 0.5]), ([0.6, 0.5], [1.0, 1.0]), ([0.3, 0.0], [0.2, 1.0]), ([-0.1, 0.0], [1.0, 1.0])],
)
def test_bounds_that_no_mixture_keeps_are_named(lower, upper):
    with pytest.raises(SpaceError):
        Space(lower=np.array(lower), upper=np.array(upper))


def test_samples_reach_corners_and_the_middle():
    sample = Space(lower=np.zeros(4), upper=np.ones(4)).sample(2000, np.random.default_rng(0))
    assert (sample.max(axis=1) > 0.95).mean() > 0.05
    assert (sample.min(axis=1) > 0.1).mean() > 0.05
    np.testing.assert_allclose(sample.mean(axis=0), 0.25, atol=0.03)

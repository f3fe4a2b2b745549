import numpy as np
import pytest

from mixers.search.design import choose, design, most_probes
from mixers.search.features import features
from mixers.search.space import Space


@pytest.mark.parametrize("probes", [4, 9, 12])
def test_probes_lie_in_the_space_and_begin_with_the_own_mixture(probes):
    space = Space(lower=np.array([0.0, 0.1, 0.0]), upper=np.array([0.7, 0.5, 1.0]))
    own = np.array([[0.3, 0.3, 0.4]])
    weights = design(space, probes, own, seed=3)
    assert weights.shape == (probes, 3)
    assert space.contains(weights).all()
    np.testing.assert_array_equal(weights[0], own[0])
    assert len(np.unique(weights.round(6), axis=0)) == probes


def test_a_seed_says_which_probes():
    space = Space(lower=np.zeros(3), upper=np.ones(3))
    first, again, other = (design(space, 6, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_probes_are_mixed_and_of_every_group(planted):
    weights = planted.weights
    assert ((weights > 0.02).sum(axis=1) >= 2).mean() > 0.6
    assert ((weights > 0.3).sum(axis=0) >= 2).all()
    assert ((weights < 0.02).sum(axis=0) >= 2).all()


def test_a_design_tells_more_than_a_draw():
    rng = np.random.default_rng(0)
    pool = Space(lower=np.zeros(4), upper=np.ones(4)).sample(300, rng)

    def information(rows):
        found = features(pool[rows])
        return np.linalg.slogdet(found.T @ found + 1e-3 * np.eye(8))[1]

    drawn = [information(rng.choice(300, 15, replace=False)) for _ in range(50)]
    assert information(choose(pool, 15)) > max(drawn)


def test_there_may_not_be_more_probes_than_a_search_is_worth():
    space = Space(lower=np.zeros(3), upper=np.ones(3))
    assert most_probes(3) == 12
    with pytest.raises(ValueError, match="13 probes for 3 groups"):
        design(space, 13, seed=1)
    with pytest.raises(ValueError, match="there may be 2 to 12"):
        design(space, 1, np.full((1, 3), 1 / 3), seed=1)

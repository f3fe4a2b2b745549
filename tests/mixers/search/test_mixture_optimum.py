import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mixers.search.laws import fit_laws
from mixers.search.optimum import APART, Aim, best_together, propose
from mixers.search.space import Space


def test_the_best_mixture_is_found(planted, aim, proposals):
    everywhere = aim.value(planted.truth(planted.space.sample(5000, np.random.default_rng(0))))
    found = aim.value(planted.truth(proposals.mixtures))
    regret = found - everywhere.min()
    assert regret[0] < 0.03 * np.ptp(everywhere)
    assert planted.space.contains(proposals.mixtures).all()
    gain = aim.value(planted.truth(planted.own[None])) - found
    assert (proposals.gain_interval[:, 0] <= gain).all()
    assert (gain <= proposals.gain_interval[:, 1]).all()


def test_a_useless_group_gets_nothing_and_copies_share(proposals):
    best, interval = proposals.mixtures[0], proposals.weight_interval
    assert best[3] < 0.03
    assert interval[3, 1] < 0.2
    assert 0.3 < best[0] + best[1] < 0.7
    for copy in (0, 1):
        assert interval[copy, 0] < 0.25 < interval[copy, 1]


def test_mixtures_to_confirm_differ(proposals):
    assert len(proposals.mixtures) == 3
    for number, mixture in enumerate(proposals.mixtures):
        for other in proposals.mixtures[:number]:
            assert np.abs(mixture - other).sum() / 2 >= APART


def test_guards_and_bounds_are_kept(planted):
    space = Space(lower=np.zeros(4), upper=np.array([0.3, 0.3, 0.3, 1.0]))
    aim = Aim(shares=np.array([1.0, 0.0]), most_above=np.array([np.inf, 0.0]))
    found = propose(planted.laws, space, planted.own, aim, seed=1)
    free = propose(
        planted.laws, space, planted.own, Aim(shares=aim.shares, most_above=np.full(2, np.inf)), seed=1
    )
    here = planted.truth(planted.own[None])[0]
    above = planted.truth(found.mixtures) - here
    assert space.contains(found.mixtures).all()
    assert (above[:, 0] < 0).all()
    assert (above[:, 1] < 0.01).all()
    assert (planted.truth(free.mixtures) - here)[1:, 1].max() > 0.05, "without the guard it is broken"


def test_nothing_is_proposed_where_no_mixture_keeps_the_guards(planted):
    aim = Aim(shares=np.ones(2), most_above=np.full(2, -9.0))
    found = propose(planted.laws, planted.space, planted.own, aim, seed=1)
    assert found.mixtures.shape == (0, 4)
    np.testing.assert_allclose(found.weight_interval, 0.25)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_more_mixtures_never_promise_less(seed, count):
    rng = np.random.default_rng(seed)
    gains, mixtures = rng.normal(size=(50, 8)), rng.dirichlet(np.ones(3), size=8)
    chosen = best_together(gains, mixtures, count)
    assert chosen[0] == gains.mean(axis=0).argmax()
    assert len(set(chosen)) == len(chosen) <= count
    together = [gains[:, chosen[: last + 1]].max(axis=1).mean() for last in range(len(chosen))]
    assert together == sorted(together)


def test_of_two_good_mixtures_and_a_copy_the_different_one_is_taken():
    rng = np.random.default_rng(0)
    one, other = rng.normal(1, 1, 400), rng.normal(0.9, 1, 400)
    gains = np.stack([one, one - 0.01, other], axis=1)
    mixtures = np.array([[0.5, 0.5], [0.3, 0.7], [0.9, 0.1]])
    assert best_together(gains, mixtures, 2).tolist() == [0, 2]


def test_a_mixture_that_teaches_nothing_leaves_the_others_as_they_are(planted, aim):
    """A cliff: of all mixtures that were tried, one that is nearly all useless is bad beyond measure."""
    losses = planted.measure(planted.weights, seed=0)
    useless = planted.weights[:, 3] > 0.9
    assert useless.any()
    losses[useless] += 5
    laws = fit_laws(planted.weights, losses, np.full(2, 0.005**2))
    found = propose(laws, planted.space, planted.own, aim, seed=1)
    assert (found.mixtures[:, 3] < 0.25).all()
    assert found.weight_interval[3, 1] < 0.3
    here = aim.value(planted.truth(planted.own[None]))
    assert (aim.value(planted.truth(found.mixtures)) < here).all()

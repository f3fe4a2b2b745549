import numpy as np

from mixers.search.confirm import confirm
from mixers.search.laws import fit_laws
from mixers.search.optimum import Aim
from mixers.search.space import Space

NOISE = 0.005


def test_a_better_mixture_is_confirmed(planted, aim, proposals):
    mixtures = np.vstack([proposals.mixtures, [[0, 0, 0, 1.0]]])
    truth = planted.truth(mixtures) - planted.truth(planted.own[None])
    own, *losses = planted.measure(np.vstack([planted.own, mixtures]), seed=1)
    found = confirm(
        planted.laws, planted.own, mixtures, own, np.array(losses), np.full(2, NOISE**2), aim, seed=1
    )
    assert found.best is not None
    assert truth.mean(axis=1)[found.best] < truth.mean(axis=1).min() + 2 * NOISE
    assert (found.gain_interval[:, 0] <= -truth.mean(axis=1)).all()
    assert (-truth.mean(axis=1) <= found.gain_interval[:, 1]).all()
    assert ((found.above_interval[..., 0] <= truth) & (truth <= found.above_interval[..., 1])).mean() > 0.8


def test_a_mixture_that_breaks_a_guard_when_it_is_run_is_not_the_best(planted, proposals):
    guarded = Aim(shares=np.array([1.0, 0.0]), most_above=np.array([np.inf, 0.0]))
    own = planted.truth(planted.own[None])[0]
    mixtures = np.array([[0.5, 0.45, 0.05, 0.0], [0.3, 0.3, 0.35, 0.05]])
    found = confirm(
        planted.laws,
        planted.own,
        mixtures,
        own,
        planted.truth(mixtures),
        np.full(2, NOISE**2),
        guarded,
        seed=1,
    )
    assert found.keeps.tolist() == [False, True]
    assert found.gain[0] > found.gain[1]
    assert found.best == 1


def test_runs_outweigh_the_laws(planted, aim, proposals):
    own = planted.truth(planted.own[None])[0]
    losses = own + np.full((3, 2), 0.5)  # all are worse than the laws said
    found = confirm(
        planted.laws, planted.own, proposals.mixtures, own, losses, np.full(2, NOISE**2), aim, seed=1
    )
    assert found.best is None
    assert (found.gain < 0).all()


def test_equal_mixtures_are_not_significantly_different():
    rng, space, noise = np.random.default_rng(3), Space(lower=np.zeros(3), upper=np.ones(3)), 0.01
    probes, aim = space.sample(12, rng), Aim(shares=np.ones(1), most_above=np.array([np.inf]))
    laws = fit_laws(probes, 2 + noise * rng.normal(size=(12, 1)), np.array([noise**2]))
    own, mixtures, false = np.full(3, 1 / 3), space.sample(3, rng), 0
    for seed in range(30):
        losses = 2 + noise * rng.normal(size=(4, 1))
        found = confirm(laws, own, mixtures, losses[0], losses[1:], np.array([noise**2]), aim, seed=seed)
        false += found.best is not None
    assert false <= 2

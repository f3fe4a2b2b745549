import numpy as np
import pytest

from mixers.search.features import features
from mixers.search.gaussian_process import fit_gaussian_process
from mixers.search.laws import KINDS, fit_laws, stacking_shares
from mixers.search.log_linear import fit_log_linear
from mixers.search.ridge import fit_ridge
from mixers.search.space import Space
from mixers.search.transfer import fit_transfer

SPACE = Space(lower=np.zeros(3), upper=np.ones(3))
COEFFICIENTS = np.array([0.1, -0.2, 0.05, -0.3, 0.1, 0.0])
PLANTED = [
    (fit_ridge, lambda w: 3 + features(w) @ COEFFICIENTS),
    (fit_log_linear, lambda w: 2 + np.exp(w @ np.array([-1.0, 0.5, 0.2]))),
    (fit_transfer, lambda w: 1.5 + 0.8 * (w @ np.array([1.0, 0.1, 0.02])) ** -0.4),
    (fit_gaussian_process, lambda w: 3 - 0.5 * np.log(w[:, 0] + 0.02) * (1 + w[:, 1])),
]


@pytest.mark.parametrize("fit, truth", PLANTED)
def test_each_law_finds_the_one_that_was_planted(fit, truth):
    rng = np.random.default_rng(1)
    probes, others = SPACE.sample(14, rng), SPACE.sample(200, rng)
    losses = truth(probes) + 0.005 * rng.normal(size=14)
    mean, covariance = fit(probes, losses, 0.005**2).predict(others)
    error = truth(others) - mean
    assert error.std() < 0.15 * truth(others).std()
    assert np.linalg.eigvalsh(covariance).min() > -1e-6 * covariance.max()
    assert (np.abs(error) < 3 * np.sqrt(np.diag(covariance))).mean() > 0.8


@pytest.mark.parametrize("fit", KINDS.values())
def test_a_law_of_equal_losses_is_flat(fit):
    probes = SPACE.sample(8, np.random.default_rng(1))
    mean, covariance = fit(probes, np.full(8, 2.5), 1e-4).predict(SPACE.sample(20, np.random.default_rng(2)))
    np.testing.assert_allclose(mean, 2.5, atol=0.02)
    assert np.isfinite(covariance).all()


def test_intervals_cover_what_was_not_seen(planted):
    mixtures = planted.space.sample(400, np.random.default_rng(5))
    truth, found = planted.truth(mixtures), planted.laws.predict(mixtures)
    assert (np.abs(truth - found.mean) <= 1.96 * found.deviation).mean() > 0.9
    assert (1.96 * found.deviation).mean() < np.ptp(truth) / 8
    assert (truth - found.mean).std() < 0.1 * truth.std()


def test_intervals_cover_in_many_simulated_searches():
    rng = np.random.default_rng(7)
    covered, mixtures = [], SPACE.sample(100, rng)
    for _ in range(4):
        worth, probes = rng.gamma(0.5, size=3) + 0.02, SPACE.sample(12, rng)
        losses = 2 + (probes @ worth) ** -0.3 + 0.01 * rng.normal(size=12)
        found = fit_laws(probes, losses[:, None], np.array([1e-4])).predict(mixtures)
        error = 2 + (mixtures @ worth) ** -0.3 - found.mean[:, 0]
        covered.append((np.abs(error) <= 1.96 * found.deviation[:, 0]).mean())
    assert np.mean(covered) >= 0.9


def test_draws_are_as_the_predictions_say(planted):
    mixtures = planted.space.sample(30, np.random.default_rng(5))
    drawn = planted.laws.draw(mixtures, 3000, np.random.default_rng(6))
    found = planted.laws.predict(mixtures)
    assert drawn.shape == (3000, 30, 2)
    np.testing.assert_allclose(drawn.mean(axis=0), found.mean, atol=0.25 * found.deviation.max())
    assert np.median(drawn.std(axis=0) / found.deviation) == pytest.approx(1, abs=0.1)


def test_draws_of_one_mixture_twice_are_the_same(planted):
    twice = np.repeat(planted.own[None], 2, axis=0)
    drawn = planted.laws.draw(twice, 50, np.random.default_rng(6))
    np.testing.assert_allclose(drawn[:, 0], drawn[:, 1], atol=1e-6)


def test_errors_of_targets_that_are_alike_go_together():
    rng = np.random.default_rng(1)
    probes = SPACE.sample(12, rng)
    losses = np.sin(5 * probes[:, :1]) + 0.1 * rng.normal(size=(12, 1))
    laws = fit_laws(probes, np.hstack([losses, losses]))
    drawn = laws.draw(SPACE.sample(5, rng), 500, rng)
    assert np.corrcoef(drawn[..., 0].ravel(), drawn[..., 1].ravel())[0, 1] > 0.9
    assert laws.correlations[0, 1] == pytest.approx(1)


def test_a_kind_that_predicts_better_has_the_larger_share():
    losses = np.random.default_rng(1).normal(size=40)
    means = np.stack([losses + 0.1, np.zeros(40), np.zeros(40)])
    shares = stacking_shares(means, np.stack([np.full(40, 0.1), np.ones(40), np.ones(40)]), losses)
    assert shares[0] > 0.9
    assert shares[1] == pytest.approx(shares[2])
    assert shares.sum() == pytest.approx(1)

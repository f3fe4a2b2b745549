"""Intervals of scores, on simulated ones: of documents whose lengths have heavy tails, and of questions."""

import math

import numpy as np
import pytest

from pipelines.evaluation.intervals import FEWEST, interval, interval_of_part


def equal_models(rng: np.random.Generator, documents: int, spread: float = 1.2) -> list[np.ndarray]:
    """Nats, predicted tokens, tokens and bytes of two models that are equally good.

    Documents differ in difficulty, the same for both; each model has its own luck with each document.
    """
    tokens = np.maximum(5, rng.lognormal(5.5, spread, documents)).round()
    size = (tokens * rng.uniform(3, 5, documents)).round()
    difficulty = rng.gamma(9, 2.8 / 9, documents)
    found = []
    for _ in range(2):
        luck = rng.normal(0, 0.1, documents) + 2 * rng.normal(size=documents) / np.sqrt(tokens)
        nats = np.maximum(tokens * (difficulty + luck), 0.1)
        found.append(np.stack([nats, tokens - 1, tokens, size], axis=1))
    return found


def coverage(documents: int, spread: float, pairs: int = 200) -> float:
    rng = np.random.default_rng(documents)
    ends = [interval(*equal_models(rng, documents, spread)) for _ in range(pairs)]
    return sum(low <= 0 <= high for low, high in ends) / pairs


@pytest.mark.parametrize("spread", [0.8, 1.2, 1.6])
@pytest.mark.parametrize("documents", [FEWEST, 30, 200])
def test_the_difference_of_equal_models_covers_zero_as_often_as_it_says(documents, spread):
    assert 0.90 <= coverage(documents, spread) <= 0.98


def test_a_better_model_is_told_from_a_worse_one_by_pairs_alone():
    """One percent lies far within the interval of either model, and outside that of the difference."""
    first, _ = equal_models(np.random.default_rng(1), 400)
    worse = first.copy()
    worse[:, 0] *= 1 + np.random.default_rng(2).uniform(0, 0.02, len(first))
    low, high = interval(worse, first)
    assert 0 < low < high < 0.05
    own_low, own_high = interval(first)
    assert own_high - own_low > 5 * (high - low)
    assert interval(first, worse) == pytest.approx((-high, -low))


def test_the_interval_lies_around_the_ratio_of_sums():
    sums, _ = equal_models(np.random.default_rng(3), 100)
    nats, predicted, tokens, size = sums.sum(axis=0)
    low, high = interval(sums)
    assert (low + high) / 2 == pytest.approx(nats / predicted / math.log(2) * tokens / size)
    assert interval(sums) == (low, high)


def test_few_documents_or_none_that_is_predicted_have_no_interval():
    sums, other = equal_models(np.random.default_rng(4), FEWEST)
    assert interval(sums, other) is not None
    assert interval(sums[:-1], other[:-1]) is None
    sums[:, :2] = 0
    assert interval(sums) is None


def test_the_same_scores_differ_by_nothing():
    sums, _ = equal_models(np.random.default_rng(5), 50)
    assert interval(sums, sums) == (0, 0)


def answered(rng: np.random.Generator, questions: int, share: float, better: float = 0) -> tuple:
    """Right and wrong answers, and which questions are of a part; the others are right more often."""
    part = rng.permutation(questions) >= questions * share
    return (rng.random(questions) < 0.6 + better * ~part).astype(float), part


@pytest.mark.parametrize(("questions", "share"), [(100, 0.2), (100, 0.7), (1000, 0.05)])
def test_a_part_that_is_like_the_rest_covers_zero_as_often_as_it_says(questions, share):
    rng = np.random.default_rng(questions)
    ends = [interval_of_part(*answered(rng, questions, share)) for _ in range(200)]
    assert 0.90 <= sum(low <= 0 <= high for low, high in ends) / len(ends) <= 0.99


def test_a_part_that_is_harder_than_the_rest_is_told():
    values, part = answered(np.random.default_rng(6), 500, 0.3, better=0.35)
    low, high = interval_of_part(values, part)
    assert low < high < 0
    assert (low + high) / 2 == pytest.approx(values[part].mean() - values.mean())
    assert interval_of_part(values, part) == (low, high)
    assert interval_of_part(np.ones(500), part) == (0, 0)


def test_few_in_a_part_or_out_of_it_have_no_interval():
    values, _ = answered(np.random.default_rng(7), 100, 0)
    for count in (FEWEST, 100 - FEWEST):
        assert interval_of_part(values, np.arange(100) < count) is not None
    for count in (0, FEWEST - 1, 100 - FEWEST + 1, 100):
        assert interval_of_part(values, np.arange(100) < count) is None

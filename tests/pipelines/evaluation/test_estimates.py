"""Intervals of shares and of their differences, on simulated answers, also where nearly all are right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluation.estimates import QUANTILE, Estimate, harmonic_mean, jackknife, share
from pipelines.evaluation.mera.metrics import macro_f1


def of(right: np.ndarray, is_first: bool = True, cells: int = 1) -> Estimate:
    groups = [[part] for part in np.array_split(np.arange(len(right)), cells)]
    found = share(right.astype(float), np.ones(len(right)), groups, is_first)
    assert found is not None
    return found


def both(rng: np.random.Generator, questions: int, right: float, same: float) -> tuple[Estimate, Estimate]:
    """Two equally good models that answer a share of the questions alike."""
    first = rng.random(questions) < right
    other = np.where(rng.random(questions) < same, first, rng.random(questions) < right)
    return of(first, True), of(other, False)


@pytest.mark.parametrize(("questions", "right"), [(20, 0.5), (20, 0.9), (50, 0.98), (50, 0.8), (300, 0.02)])
def test_intervals_cover_as_often_as_they_say_also_near_one(questions, right):
    rng = np.random.default_rng(questions)
    pairs = [both(rng, questions, right, 0.6) for _ in range(400)]
    shares = [first.score.interval for first, _ in pairs]
    differences = [other.less(first).score.interval for first, other in pairs]
    assert sum(low <= right <= high for low, high in shares) >= 0.92 * 400
    assert sum(low <= 0 <= high for low, high in differences) >= 0.93 * 400


def test_a_difference_has_the_interval_of_bonett_and_price():
    first = np.array([1] * 30 + [0] * 20)
    other = np.array([1] * 28 + [0] * 2 + [1] * 9 + [0] * 11)
    more, less, count = (9 + 1) / 52, (2 + 1) / 52, 52
    reach = QUANTILE * math.sqrt((more + less - (more - less) ** 2) / count)
    found = of(other, False).less(of(first)).score
    assert found.value == pytest.approx(7 / 50)
    assert found.interval == pytest.approx((more - less - reach, more - less + reach))


def test_all_right_is_no_certainty_and_fewer_questions_have_no_interval():
    low, high = of(np.ones(50)).score.interval
    assert 0.9 < low < 0.95 and high == 1
    low, high = of(np.ones(50), False).less(of(np.ones(50))).score.interval
    assert low < -0.02 and high > 0.02
    assert of(np.ones(19)).score == of(np.ones(19), False).score
    assert of(np.ones(19)).score.interval is None


def test_cells_count_alike_whatever_their_size_and_empty_ones_not_at_all():
    right, counted = np.array([1.0] * 3 + [0.0] * 27 + [0.0] * 5), np.array([1.0] * 30 + [0.0] * 5)
    cells = [np.arange(3), np.arange(3, 30), np.arange(30, 35)]
    assert share(right, counted, [[cells[0]], [cells[1]], [cells[2]]], True).value == 0.5
    assert share(right, counted, [[cells[0], cells[1]], [cells[2]]], True).value == 0.5
    assert share(right, counted, [[cells[0]], [cells[0], cells[1]]], True).value == 0.75
    assert share(right, counted, [[cells[2]]], True) is None
    many = of(np.ones(4500), cells=45).score.interval
    assert many[0] > 0.998  # the added answers do not grow with the number of cells


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=20, max_size=60))
def test_differences_are_antisymmetric_and_hold_their_value(answers):
    one, other = (np.array(each) for each in zip(*answers, strict=True))
    forth, back = of(other, False).less(of(one)).score, of(one, False).less(of(other)).score
    assert forth.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert forth.interval[0] <= forth.value <= forth.interval[1]
    both = harmonic_mean(of(one), of(other)).score
    assert min(one.mean(), other.mean()) <= both.value + 1e-12
    assert 0 <= both.interval[0] <= both.interval[1] <= 1


def test_the_jackknife_covers_macro_f1():
    rng = np.random.default_rng(3)
    truth, found = None, []
    for questions in (200_000, *[120] * 200):
        gold = rng.choice(3, questions, p=[0.5, 0.3, 0.2])
        given_ = np.where(rng.random(questions) < 0.5, gold, rng.integers(3, size=questions))
        pairs = list(zip(gold.astype(str).tolist(), given_.astype(str).tolist(), strict=True))
        score = jackknife(macro_f1, pairs, lowest=0.0).score
        if truth is None:
            truth = score.value
        else:
            found.append(score.interval)
    assert 0.9 <= sum(low <= truth <= high for low, high in found) / len(found) <= 0.99

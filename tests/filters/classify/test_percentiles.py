"""Percentiles, the top of a ranking, and the measures of a cross-validation, against slow references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.classify.cross_validation import auc, measures, out_of_fold
from filters.classify.percentiles import best, buckets, in_top, percentiles


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.01, 1))
def test_a_share_is_exactly_that_share_of_the_judged(judged: int, others: int, share: float) -> None:
    place = np.random.default_rng(judged).permutation(np.r_[np.arange(judged), np.full(others, -1)])
    kept = in_top(place, share, judged)
    assert kept.sum() == int(np.floor(share * judged + 0.5))
    assert (place[kept] >= judged - kept.sum()).all()
    assert np.array_equal(np.isnan(percentiles(place, judged)), place < 0)


def test_buckets_are_of_equal_size_and_an_ensemble_takes_the_highest() -> None:
    place = np.random.default_rng(0).permutation(200)
    bucket = buckets(percentiles(place, 200), 20)
    assert np.bincount(bucket).tolist() == [10] * 20
    a, b = np.array([0.1, np.nan, 0.95, np.nan]), np.array([0.3, 0.5, np.nan, np.nan])
    assert buckets(best([a, b]), 20).tolist() == [6, 10, 19, -1]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0])), max_size=40))
def test_auc_is_the_chance_of_the_right_order(pairs: list[tuple[bool, float]]) -> None:
    positive = np.array([p for p, _ in pairs], bool)
    scores = np.array([s for _, s in pairs], np.float32)
    wins = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    found = auc(positive, scores)
    assert found is None if not wins else found == pytest.approx(np.mean(wins), abs=1e-4)


def test_measures_of_a_known_table() -> None:
    truth = np.array([0, 0, 0, 1], np.int32)
    said = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], np.float32)
    found = measures(truth, said, ["good", "bad"])
    assert found["accuracy"] == 0.75 == found["accuracy_of_the_most_frequent"]
    assert found["labels"]["good"] == {
        "examples": 3,
        "precision": 1.0,
        "recall": 0.6667,
        "f1": 0.8,
        "auc": 0.6667,
    }
    assert found["confusion"] == {"good": {"good": 2, "bad": 1}, "bad": {"good": 0, "bad": 1}}


def test_no_example_is_judged_by_a_model_that_has_seen_it() -> None:
    fold = np.arange(20) % 3
    seen = []

    def judge(inside: np.ndarray) -> np.ndarray:
        seen.append(set(np.flatnonzero(inside)))
        return np.full((inside.sum(), 2), fold[inside][:1], np.float32).reshape(-1, 2)

    found = out_of_fold(fold, judge, 2)
    assert found[:, 0].tolist() == fold.tolist()
    assert set.union(*seen) == set(range(20)) and sum(map(len, seen)) == 20


def test_with_one_fold_there_is_nothing_to_learn_from() -> None:
    found = out_of_fold(np.zeros(4, np.int64), lambda inside: pytest.fail("nothing is left to train on"), 2)
    assert found.tolist() == [[0, 0]] * 4

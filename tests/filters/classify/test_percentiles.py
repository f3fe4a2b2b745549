"""Percentiles, the top of a ranking, and the measures of a cross-validation, against slow references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.classify.cross_validation import auc, measures, out_of_fold
from filters.classify.percentiles import best, buckets, in_top, percentiles, positions

SCORES = st.lists(
    st.one_of(st.sampled_from([0.0, 0.5, 1.0, float("-inf")]), st.floats(-5, 5), st.just(float("nan"))),
    max_size=60,
)


@given(SCORES, st.floats(0.01, 1))
def test_a_share_is_exactly_that_share_of_the_scored(scores: list[float], share: float) -> None:
    values = np.array(scores, np.float64)
    place = positions(values, np.arange(len(values), dtype=np.uint64)[::-1].copy())
    scored = ~np.isnan(values)
    assert sorted(place[scored]) == list(range(scored.sum())) and (place[~scored] == -1).all()
    kept = in_top(place, share)
    assert kept.sum() == int(np.floor(share * scored.sum() + 0.5))
    if kept.any() and (scored & ~kept).any():
        assert values[kept].min() >= values[scored & ~kept].max()


@given(SCORES)
def test_ties_do_not_depend_on_the_order_of_documents(scores: list[float]) -> None:
    values = np.array(scores, np.float64)
    keys = np.random.default_rng(1).permutation(len(values)).astype(np.uint64)
    order = np.random.default_rng(2).permutation(len(values))
    assert positions(values, keys)[order].tolist() == positions(values[order], keys[order]).tolist()


def test_buckets_are_of_equal_size_and_an_ensemble_takes_the_highest() -> None:
    place = positions(np.random.default_rng(0).random(200), np.zeros(200, np.uint64))
    bucket = buckets(percentiles(place), 20)
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

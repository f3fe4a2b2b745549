"""Intervals of shares and of their differences, on simulated answers."""

import numpy as np
import pytest

from pipelines.evaluation.shares import difference_interval, share_interval


@pytest.mark.parametrize("count", [20, 60, 300])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_a_share_is_covered_as_often_as_it_says(count: int, share: float) -> None:
    rng = np.random.default_rng(count)
    ends = [share_interval(rng.random(count) < share) for _ in range(1000)]
    assert sum(low <= share <= high for low, high in ends) / 1000 >= 0.9


@pytest.mark.parametrize("count", [20, 60, 300])
@pytest.mark.parametrize(("more", "less"), [(0.02, 0.0), (0.05, 0.05), (0.3, 0.1)])
def test_a_difference_is_covered_as_often_as_it_says(count: int, more: float, less: float) -> None:
    rng = np.random.default_rng(count)
    covered = 0
    for _ in range(1000):
        luck = rng.random(count)
        hits, beside = luck < 0.4 + more, (luck < 0.4) | (luck > 1 - less)
        low, high = difference_interval(hits, beside)
        covered += low <= more - less <= high
        assert difference_interval(beside, hits) == pytest.approx((-high, -low))
    assert covered / 1000 >= 0.92


def test_what_is_paired_is_told_apart_where_single_shares_are_not() -> None:
    luck = np.random.default_rng(1).random(400)
    better, worse = luck < 0.55, luck < 0.5
    assert share_interval(better)[0] < share_interval(worse)[1]
    assert difference_interval(better, worse)[0] > 0


def test_shares_of_nothing_or_all_are_not_sure_and_none_has_no_interval() -> None:
    none = np.zeros(50, bool)
    assert share_interval(none)[0] == 0 and share_interval(none)[1] == pytest.approx(0.071, abs=1e-3)
    assert share_interval(~none) == pytest.approx((1 - 0.071, 1), abs=1e-3)
    low, high = difference_interval(none, none)
    assert low == -high and 0 < high < 0.07
    assert share_interval(none[:0]) is difference_interval(none[:0], none[:0]) is None

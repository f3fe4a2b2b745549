import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixers.order import follow_quotas, quota_order, repeat_packs


@st.composite
def streams(draw):
    """Rows of 1 to `longest` tokens for some groups, and quotas that the rows can give."""
    longest = draw(st.integers(1, 50))
    groups = draw(
        st.lists(st.lists(st.integers(1, longest), min_size=1, max_size=60), min_size=1, max_size=12)
    )
    quotas = [draw(st.integers(0, sum(rows))) for rows in groups]
    quotas[0] = max(quotas[0], 1)
    return longest, groups, np.array(quotas, np.int64)


@settings(max_examples=300)
@given(streams())
def test_after_every_prefix_every_group_is_less_than_one_row_from_its_quota(drawn):
    longest, groups, quotas = drawn
    amounts = np.array([amount for rows in groups for amount in rows], np.int64)
    starts = np.cumsum([0] + [len(rows) for rows in groups])
    total = int(quotas.sum())
    given_so_far = np.zeros(len(groups), np.int64)
    next_row = list(starts[:-1])
    for row in quota_order(amounts, starts, quotas):
        group = int(np.searchsorted(starts, row, side="right")) - 1
        assert row == next_row[group]
        next_row[group] += 1
        given_so_far[group] += amounts[row]
        off = given_so_far * total - quotas * given_so_far.sum()
        assert np.abs(off).max() < longest * total
    assert total <= given_so_far.sum() < total + longest
    assert np.abs(given_so_far - quotas).max() < longest


def test_equal_rows_and_rational_shares_come_out_periodic():
    amounts, starts = np.full(40, 8), np.array([0, 20, 30, 40])
    order = quota_order(amounts, starts, np.array([160, 80, 80]))
    groups = np.searchsorted(starts, order, side="right") - 1
    assert sorted(groups[:4]) == [0, 0, 1, 2]
    assert [groups[i : i + 4].tolist() for i in range(0, 40, 4)] == [groups[:4].tolist()] * 10


def test_rows_that_cannot_give_the_quota_are_refused():
    with pytest.raises(ValueError, match="group 1 give less"):
        quota_order(np.array([5, 5]), np.array([0, 1, 2]), np.array([5, 6]))


@given(streams(), st.integers(1, 40))
def test_deviation_is_measured_at_every_prefix_run_by_run(drawn, run):
    _, groups, _ = drawn
    rng = np.random.default_rng(run)
    amounts = np.array([amount for rows in groups for amount in rows], np.int64)
    group_of_row = rng.permutation(np.repeat(np.arange(len(groups)), [len(rows) for rows in groups]))
    shares = rng.dirichlet(np.ones(len(groups)))
    given_so_far, deviations = np.zeros(len(groups), np.int64), np.zeros(len(groups))
    for start in range(0, len(amounts), run):
        rows = slice(start, start + run)
        follow_quotas(amounts[rows], group_of_row[rows], shares, given_so_far, deviations)
    for group, share in enumerate(shares):
        of_group = np.cumsum(amounts * (group_of_row == group))
        expected = np.abs(of_group - share * np.cumsum(amounts)).max(initial=0)
        assert deviations[group] == pytest.approx(expected)
        assert given_so_far[group] == of_group[-1]


@given(st.integers(0, 50), st.integers(1, 400), st.floats(0.01, 6), st.integers(0, 5))
def test_copies_of_a_pack_are_seven_eighths_of_an_epoch_apart(first, packs, epochs, seed):
    amounts = np.random.default_rng(seed).integers(1, 100, first + packs)
    numbers = range(first, first + packs)
    quota = max(1, int(epochs * amounts[first:].sum()))
    used = repeat_packs(numbers, amounts, quota, np.random.default_rng(seed))
    assert amounts[used].sum() >= quota > amounts[used[:-1]].sum()
    for start in range(0, len(used) - packs + 1, packs):
        assert sorted(used[start : start + packs]) == list(numbers)
    last_use = {}
    for place, pack in enumerate(used):
        if pack in last_use:
            assert place - last_use[pack] > packs - -(-packs // 8)
        last_use[pack] = place


def test_each_epoch_is_shuffled_anew():
    used = repeat_packs(range(800), np.ones(800, np.int64), 1600, np.random.default_rng(0))
    assert (used[:800] != used[800:]).mean() > 0.9


def test_a_group_without_a_quota_gives_nothing():
    assert len(repeat_packs(range(3), np.ones(3, np.int64), 0, np.random.default_rng(0))) == 0

"""Order: in which order the rows of all groups are trained on.

The groups are fluids that should flow at constant rates, and rows are packets that cannot be divided.
Worst-case fair weighted fair queueing keeps every group within one row of its fluid at all times (Bennett and
Zhang 1996, "WF2Q"; for equal rows: Tijdeman 1980, "The chairman assignment problem"): among the rows that the
fluid has already begun, the next is the one that the fluid finishes first.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixers.arrays import Allocate, count_below, index_type, numbers
from tokenizer_tools.compiled import compiled

EPOCH_BLOCKS = 8
"""Parts of an epoch whose order is kept, and within which the rows are shuffled anew in each epoch."""


def quota_order(
    amounts: NDArray[np.int32],
    starts: NDArray[np.int64],
    quotas: NDArray[np.int64],
    allocate: Allocate = np.empty,
) -> NDArray[Any]:
    """Interleave the rows of all groups so that after any prefix no group is a row or more from its quota.

    With amounts of at most L, total = sum(quotas), after any prefix that amounts to T:
    ``|given(group) - T * quota(group) / total| < L``, and at the end ``|given(group) - quota(group)| < L``.
    The order ends with the row that reaches the total.

    Args:
        amounts: shape (rows); what each row gives, the groups one after the other, each in its own order.
        starts: shape (groups + 1); the rows of group g are ``starts[g]:starts[g + 1]``. They give at
            least its quota.
        quotas: shape (groups).
        allocate: makes the result.

    Returns:
        Positions in `amounts`, in training order. Rows beyond a group's quota may be left over.

    Raises:
        ValueError: a group's rows give less than its quota.
    """
    total = int(quotas.sum())
    largest = int(amounts.max(initial=0))
    given = np.array([amounts[a:b].sum() for a, b in pairwise(starts)], np.int64)
    if (given < quotas).any():
        raise ValueError(f"The rows of group {int(np.argmax(given < quotas))} give less than its quota.")
    if largest * total >= 2**62:
        raise ValueError(f"A total of {total:,} in rows of {largest:,} is beyond 64-bit arithmetic.")
    wanted = np.flatnonzero(quotas)
    order = allocate(len(amounts), index_type(len(amounts)))
    return order[: _interleave(amounts, starts[wanted], quotas[wanted], total, order)]


@compiled
def _interleave(amounts, next_row, quotas, total, order):  # type: ignore[no-untyped-def]
    """Write the order and return its length.

    In exact integers: `lag` is how far a group is behind its fluid, times `total`. The lags add up to 0, so
    some group is always on time or late; and a group whose rows are used up has had its quota, so it is early
    until the end. Hence there is always a row to choose.
    """
    lag = np.zeros(len(quotas), np.int64)
    given = 0
    rows = 0
    while given < total:
        best = -1
        best_deadline = np.inf
        for group in range(len(quotas)):
            if lag[group] >= 0:
                deadline = (amounts[next_row[group]] * total - lag[group]) / quotas[group]
                if deadline < best_deadline:
                    best, best_deadline = group, deadline
        row = next_row[best]
        next_row[best] += 1
        order[rows] = row
        rows += 1
        given += amounts[row]
        lag += quotas * amounts[row]
        lag[best] -= amounts[row] * total
    return rows


def repeat_packs(
    packs: range,
    amounts: NDArray[np.int32],
    quota: int,
    rng: np.random.Generator,
    allocate: Allocate = np.empty,
) -> NDArray[Any]:
    """The packs of one group, epoch after epoch, until they give its quota.

    The packs are shuffled, since packing lays out long documents first, and divided into `EPOCH_BLOCKS`
    blocks that are the same in every epoch; each block is shuffled anew in each epoch. So two copies of a
    document are at least 7/8 of an epoch apart, less one pack.

    Args:
        packs: their numbers.
        amounts: what each pack gives, by its number.
        quota: what the uses have to give at least.
        rng: of the shuffles.
        allocate: makes the result.

    Returns:
        Numbers of packs in order of use. Use i is in epoch ``i // len(packs)``.
    """
    if not quota:
        return np.zeros(0, np.int32)
    shuffled = numbers(packs.start, packs.stop, allocate)
    rng.shuffle(shuffled)
    of_one_epoch = int(amounts[packs.start : packs.stop].sum())
    epochs = -(-quota // of_one_epoch)
    uses = allocate(epochs * len(packs), shuffled.dtype)
    for epoch in range(epochs):
        order = uses[epoch * len(packs) : (epoch + 1) * len(packs)]
        order[:] = shuffled
        for block in np.array_split(order, EPOCH_BLOCKS):
            rng.shuffle(block)
    before_last = (epochs - 1) * len(packs)
    missing = quota - (epochs - 1) * of_one_epoch
    return uses[: before_last + count_below(amounts, uses[before_last:], missing) + 1]


@compiled
def follow_quotas(amounts, group_of_row, shares, given, deviations):  # type: ignore[no-untyped-def]
    """Follow some rows, in training order: how far each group strays from its share after each of them.

    Args:
        amounts: shape (rows); what each row gives.
        group_of_row: shape (rows); the group of each row.
        shares: shape (groups); the share of each group, adding up to 1.
        given: shape (groups); what the rows before gave, to which these are added.
        deviations: shape (groups); the largest distance from its share so far, which is brought up to date.
    """
    total = given.sum()
    for row in range(len(amounts)):
        total += amounts[row]
        given[group_of_row[row]] += amounts[row]
        for group in range(len(shares)):
            deviations[group] = max(deviations[group], abs(given[group] - shares[group] * total))

"""Packing: the documents of one group into rows, best fit over a bounded window.

Each row opens with the document that has waited longest, and is then filled, again and again, with the
longest waiting document that still fits; only its last two are chosen as a pair, so that little room is left.
At most `WINDOW` documents wait, which bounds the memory; as every row takes the oldest, none waits for more
than `WINDOW` rows.

Best fit for language-model packing: Ding et al. 2024, "Fewer Truncations Improve Language Modeling".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

WINDOW = 8192
"""Documents among which the best fit is sought."""
PAIRS = 16
"""Lengths that are tried as the first of the last two documents of a row."""


@dataclass(frozen=True)
class Packing:
    """Documents laid out in packs. A *piece* is a document, or a part of one that is longer than a row."""

    offsets: NDArray[np.int64]
    """Shape (packs + 1): the pieces of pack i are ``offsets[i]:offsets[i + 1]``."""
    document: NDArray[np.int64]
    """Shape (pieces): which document, as its position in the lengths given."""
    first_token: NDArray[np.int64]
    """Shape (pieces): where in the document the piece starts."""
    tokens: NDArray[np.int32]
    """Shape (pieces): how many of its tokens the piece holds."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def per_pack(self, amount: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up an amount per piece into an amount per pack; every pack has at least one piece."""
        return np.add.reduceat(amount, self.offsets[:-1]) if len(self) else np.zeros(0, np.int64)

    def renamed(self, names: NDArray[np.int64]) -> "Packing":
        """The same packs, with document i called ``names[i]``."""
        return replace(self, document=names[self.document])


def pack(lengths: NDArray[np.int64], sequence_length: int) -> Packing:
    """Pack documents into rows of at most `sequence_length` tokens.

    A document that fits into a row is never cut. A longer one becomes full rows of its own and a tail, which
    is packed like a document; documents that may not be cut have to be left out by the caller.

    Args:
        lengths: tokens per document, each at least 1, in the order in which they should come.
        sequence_length: tokens in a row.
    """
    lengths = np.ascontiguousarray(lengths, np.int64)
    pieces = int(np.sum(pieces_of(lengths, sequence_length)))
    return Packing(*_best_fit(lengths, sequence_length, pieces))


def join(packings: Sequence[Packing]) -> tuple[Packing, NDArray[np.int64]]:
    """Join packings into one; with the number of the first pack of each, and of all packs at the end."""
    pieces = np.cumsum([0] + [len(packing.document) for packing in packings])
    offsets = [packing.offsets[:-1] + before for packing, before in zip(packings, pieces[:-1], strict=True)]
    joined = Packing(
        offsets=np.concatenate([*offsets, pieces[-1:]]),
        document=np.concatenate([np.zeros(0, np.int64), *(packing.document for packing in packings)]),
        first_token=np.concatenate([np.zeros(0, np.int64), *(packing.first_token for packing in packings)]),
        tokens=np.concatenate([np.zeros(0, np.int32), *(packing.tokens for packing in packings)]),
    )
    return joined, np.cumsum([0] + [len(packing) for packing in packings])


def pieces_of(lengths: NDArray[np.int64], sequence_length: int) -> NDArray[np.int64]:
    """Into how many pieces documents of these lengths are cut."""
    return -(-lengths // sequence_length)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _best_fit(lengths, room_of_row, pieces):  # type: ignore[no-untyped-def]
    """Lay out all documents; see the module's docstring for the rule.

    A waiting document occupies a slot. Slots are linked twice: in order of arrival (`earlier`, `later`), and
    into one first-in-first-out queue per length (`behind`); `has_queue` is a bitmap of the lengths waiting.
    The documents of one length leave in order of arrival, so the oldest of all is always the first of its
    queue.
    """
    offsets = np.empty(pieces + 1, np.int64)
    document = np.empty(pieces, np.int64)
    first_token = np.empty(pieces, np.int64)
    tokens = np.empty(pieces, np.int32)

    slot_document = np.empty(WINDOW, np.int64)
    slot_length = np.empty(WINDOW, np.int32)
    earlier = np.full(WINDOW, -1, np.int32)
    later = np.full(WINDOW, -1, np.int32)
    behind = np.full(WINDOW, -1, np.int32)
    free_slots = np.arange(WINDOW)
    waiting = 0
    oldest = newest = -1
    queue_head = np.full(room_of_row + 1, -1, np.int32)
    queue_tail = np.full(room_of_row + 1, -1, np.int32)
    has_queue = np.zeros(room_of_row // 64 + 1, np.uint64)

    packs = 0
    placed = 0
    arrived = 0
    offsets[0] = 0
    while waiting > 0 or arrived < len(lengths):
        while arrived < len(lengths) and waiting < WINDOW:
            length = lengths[arrived]
            while length > room_of_row:
                document[placed] = arrived
                first_token[placed] = lengths[arrived] - length
                tokens[placed] = room_of_row
                placed += 1
                packs += 1
                offsets[packs] = placed
                length -= room_of_row
            slot = free_slots[waiting]
            waiting += 1
            slot_document[slot] = arrived
            slot_length[slot] = length
            earlier[slot] = newest
            later[slot] = -1
            if newest < 0:
                oldest = slot
            else:
                later[newest] = slot
            newest = slot
            behind[slot] = -1
            if queue_head[length] < 0:
                queue_head[length] = slot
                has_queue[length >> 6] |= np.uint64(1) << np.uint64(length & 63)
            else:
                behind[queue_tail[length]] = slot
            queue_tail[length] = slot
            arrived += 1

        room = room_of_row
        length = slot_length[oldest]
        while length > 0:
            slot = queue_head[length]
            queue_head[length] = behind[slot]
            if behind[slot] < 0:
                has_queue[length >> 6] ^= np.uint64(1) << np.uint64(length & 63)
            if earlier[slot] < 0:
                oldest = later[slot]
            else:
                later[earlier[slot]] = later[slot]
            if later[slot] < 0:
                newest = earlier[slot]
            else:
                earlier[later[slot]] = earlier[slot]
            waiting -= 1
            free_slots[waiting] = slot
            document[placed] = slot_document[slot]
            first_token[placed] = lengths[slot_document[slot]] - length
            tokens[placed] = length
            placed += 1
            room -= length
            length = _next_length(has_queue, room)
        packs += 1
        offsets[packs] = placed
    return offsets[: packs + 1].copy(), document, first_token, tokens


@njit(cache=True)  # type: ignore[untyped-decorator]
def _next_length(has_queue, room):  # type: ignore[no-untyped-def]
    """The length to place next, or 0 if none fits.

    It is the longest that fits. But where nothing would fit beside it, it is the one of that and the next
    `PAIRS` shorter lengths which, with the longest that fits beside it, leaves the least room.
    """
    best = _longest_within(has_queue, room)
    left = room - best
    if best == 0 or _longest_within(has_queue, left) > 0:
        return best
    first = best
    for _ in range(PAIRS):
        first = _longest_within(has_queue, first - 1)
        if first == 0 or left == 0:
            break
        left_by_pair = room - first - _longest_within(has_queue, room - first)
        if left_by_pair < left:
            best, left = first, left_by_pair
    return best


@njit(cache=True)  # type: ignore[untyped-decorator]
def _longest_within(has_queue, room):  # type: ignore[no-untyped-def]
    """The greatest length up to `room` of which a document waits, or 0."""
    word = room >> 6
    lengths = has_queue[word] & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - (room & 63)))
    while lengths == 0 and word > 0:
        word -= 1
        lengths = has_queue[word]
    bit = 0
    for step in (32, 16, 8, 4, 2, 1):
        if lengths >> np.uint64(step):
            lengths >>= np.uint64(step)
            bit += step
    return (word << 6) + bit if lengths else 0

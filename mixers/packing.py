"""Packing: the documents of one group into rows, best fit over a bounded window.

Each row opens with the document that has waited longest, and is then filled, again and again, with the
longest waiting document that still fits; only its last two are chosen as a pair, so that little room is left.
At most `WINDOW` documents wait, which bounds the memory; as every row takes the oldest, none waits for more
than `WINDOW` rows.

Best fit for language-model packing: Ding et al. 2024, "Fewer Truncations Improve Language Modeling".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixers.arrays import Allocate, index_type
from tokenizer_tools.compiled import compiled

WINDOW = 8192
"""Documents among which the best fit is sought."""
PAIRS = 16
"""Lengths that are tried as the first of the last two documents of a row."""


@dataclass(frozen=True)
class Packing:
    """Documents laid out in packs. A *piece* is a document, or a part of one that is longer than a row."""

    starts: NDArray[np.int64]
    """Shape (groups + 1): the packs of group g are ``starts[g]:starts[g + 1]``."""
    offsets: NDArray[Any]
    """Shape (packs + 1): the pieces of pack i are ``offsets[i]:offsets[i + 1]``."""
    document: NDArray[Any]
    """Shape (pieces): which document, as its position in the lengths given."""
    first_token: NDArray[np.int32]
    """Shape (pieces): where in the document the piece starts."""
    tokens: NDArray[np.int32]
    """Shape (pieces): how many of its tokens the piece holds."""

    def __len__(self) -> int:
        return len(self.offsets) - 1


def pack(
    groups: Sequence[NDArray[Any]],
    lengths: NDArray[np.int32],
    sequence_length: int,
    allocate: Allocate = np.empty,
) -> Packing:
    """Pack documents, group by group, into rows of at most `sequence_length` tokens.

    A document that fits into a row is never cut. A longer one becomes full rows of its own and a tail, which
    is packed like a document; documents that may not be cut have to be left out by the caller.

    Args:
        groups: for each group the positions of its documents in `lengths`, in the order in which they come.
        lengths: tokens per document, each at least 1.
        sequence_length: tokens in a row.
        allocate: makes the arrays of the packing.
    """
    pieces = sum(_count_pieces(documents, lengths, sequence_length) for documents in groups)
    packing = Packing(
        starts=np.zeros(len(groups) + 1, np.int64),
        offsets=allocate(pieces + 1, index_type(pieces)),
        document=allocate(pieces, index_type(len(lengths))),
        first_token=allocate(pieces, np.int32),
        tokens=allocate(pieces, np.int32),
    )
    packing.offsets[0] = 0
    for group, documents in enumerate(groups):
        packing.starts[group + 1] = _best_fit(
            documents,
            lengths,
            sequence_length,
            packing.starts[group],
            packing.offsets,
            packing.document,
            packing.first_token,
            packing.tokens,
        )
    return replace(packing, offsets=packing.offsets[: packing.starts[-1] + 1])


def pieces_of(lengths: NDArray[np.int64], sequence_length: int) -> NDArray[np.int64]:
    """Into how many pieces documents of these lengths are cut."""
    return -(-lengths // sequence_length)


@compiled
def _count_pieces(documents, lengths, sequence_length):  # type: ignore[no-untyped-def]
    pieces = 0
    for document in documents:
        pieces += (lengths[document] + sequence_length - 1) // sequence_length
    return pieces


# The documents that wait stand in slots, the rows of an array with these columns. They are linked twice: in
# order of arrival (EARLIER, LATER), and into one first-in-first-out queue per length (BEHIND). Those of one
# length leave in order of arrival, so the oldest of all is at the head of its queue. A link to nothing is -1.
DOCUMENT, LENGTH, EARLIER, LATER, BEHIND = range(5)
# Of the queue of each length: the slots at its ends.
HEAD, TAIL = range(2)
# Of all that wait: the slots at the ends, and how many there are.
OLDEST, NEWEST, COUNT = range(3)


@compiled
def _best_fit(documents, lengths, sequence_length, packs, offsets, document, first_token, tokens):  # type: ignore[no-untyped-def]
    """Lay out a group after `packs` packs, by the rule in the module's docstring.

    Writes the columns of a `Packing` and returns the number of packs there are now.
    """
    slots = np.full((WINDOW, 5), -1)
    free_slots = np.arange(WINDOW)  # free are those from waiting[COUNT] on
    queues = np.full((sequence_length + 1, 2), -1)
    has_queue = np.zeros(sequence_length // 64 + 1, np.uint64)  # a bitmap of the lengths that wait
    waiting = np.array([-1, -1, 0])

    placed = offsets[packs]
    arrived = 0
    while True:
        while arrived < len(documents) and waiting[COUNT] < WINDOW:
            length = lengths[documents[arrived]]
            while length > sequence_length:
                document[placed] = documents[arrived]
                first_token[placed] = lengths[documents[arrived]] - length
                tokens[placed] = sequence_length
                placed += 1
                packs += 1
                offsets[packs] = placed
                length -= sequence_length
            slot = free_slots[waiting[COUNT]]
            slots[slot, DOCUMENT] = documents[arrived]
            slots[slot, LENGTH] = length
            _enqueue(slot, slots, queues, has_queue, waiting)
            arrived += 1
        if waiting[COUNT] == 0:
            return packs

        room = sequence_length
        length = slots[waiting[OLDEST], LENGTH]
        while length > 0:
            slot = _dequeue(length, slots, queues, has_queue, waiting)
            free_slots[waiting[COUNT]] = slot
            document[placed] = slots[slot, DOCUMENT]
            first_token[placed] = lengths[document[placed]] - length
            tokens[placed] = length
            placed += 1
            room -= length
            length = _next_length(has_queue, room)
        packs += 1
        offsets[packs] = placed


@compiled
def _enqueue(slot, slots, queues, has_queue, waiting):  # type: ignore[no-untyped-def]
    """Let the document in a slot wait as the newest."""
    newest = waiting[NEWEST]
    slots[slot, EARLIER] = newest
    slots[slot, LATER] = -1
    if newest < 0:
        waiting[OLDEST] = slot
    else:
        slots[newest, LATER] = slot
    waiting[NEWEST] = slot
    waiting[COUNT] += 1

    length = slots[slot, LENGTH]
    slots[slot, BEHIND] = -1
    if queues[length, HEAD] < 0:
        queues[length, HEAD] = slot
        has_queue[length >> 6] |= np.uint64(1) << np.uint64(length & 63)
    else:
        slots[queues[length, TAIL], BEHIND] = slot
    queues[length, TAIL] = slot


@compiled
def _dequeue(length, slots, queues, has_queue, waiting):  # type: ignore[no-untyped-def]
    """Take the oldest document of this length, of which there is one, and return its slot."""
    slot = queues[length, HEAD]
    queues[length, HEAD] = slots[slot, BEHIND]
    if slots[slot, BEHIND] < 0:
        has_queue[length >> 6] ^= np.uint64(1) << np.uint64(length & 63)

    earlier, later = slots[slot, EARLIER], slots[slot, LATER]
    if earlier < 0:
        waiting[OLDEST] = later
    else:
        slots[earlier, LATER] = later
    if later < 0:
        waiting[NEWEST] = earlier
    else:
        slots[later, EARLIER] = earlier
    waiting[COUNT] -= 1
    return slot


@compiled
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


@compiled
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

"""Local alignment of an item's sequence with a stretch of a document: Smith and Waterman 1981, over words."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.contamination.index import ASKS, LONGEST
from filters.contamination.words import NUMBER
from filters.text.kernel import kernel

ROWS = 2 * LONGEST + 128
"""Units of a stretch of a document."""
PENALTY = np.float32(0.15)
"""Of a unit that is missing, added or changed; a rare word that fits gives about 1, a common one 0.05."""
_STOP, _BOTH, _DOCUMENT, _ITEM = range(4)

HIT = np.dtype(
    [
        ("sequence", np.int32),
        ("first", np.int32),  # unit of the document
        ("last", np.int32),  # unit behind the span
        ("units", np.int32),  # of the sequence that are found
        ("matched", np.float32),  # their weight
        ("asks", np.float32),  # the weight of those that ask
        ("numbers", np.int32),  # numbers that are found
        ("replaced", np.int32),  # numbers in whose place another one stands
    ],
    align=True,
)
"""Where a sequence stands in a document, and how much of it."""


class Room(NamedTuple):
    """Room for one alignment."""

    scores: np.ndarray
    """float32, shape (2, LONGEST + 1)."""
    steps: np.ndarray
    """uint8, shape (ROWS + 1, LONGEST + 1)."""


def alignment_room() -> Room:
    """Room for one alignment."""
    return Room(
        np.zeros((2, LONGEST + 1), dtype=np.float32), np.zeros((ROWS + 1, LONGEST + 1), dtype=np.uint8)
    )


@kernel
def align(units, low, high, sequences, sequence, room, hit):
    """Writes to `hit` (HIT) the best local alignment of a sequence with `units[low:high]`, at most ROWS."""
    begin = sequences.first[sequence]
    size = sequences.first[sequence + 1] - begin
    scores, steps = room
    scores[0, : size + 1] = 0
    best, best_row, best_column = np.float32(0), 0, 0
    for row in range(1, high - low + 1):
        before, now = (row - 1) & 1, row & 1
        scores[now, 0] = 0
        key = units[low + row - 1].hash
        for column in range(1, size + 1):
            fits = sequences.units[begin + column - 1] == key
            gain = sequences.weights[begin + column - 1] if fits else -PENALTY
            both = scores[before, column - 1] + gain
            document = scores[before, column] - PENALTY
            score = max(both, document, scores[now, column - 1] - PENALTY)
            # Which of them it is cannot be predicted: selected, not branched on.
            step = _BOTH if score == both else _DOCUMENT if score == document else _ITEM
            steps[row, column] = step if score > 0 else _STOP
            score = max(score, np.float32(0))
            scores[now, column] = score
            if score > best:
                best, best_row, best_column = score, row, column
    _trace(units, low, sequences, begin, steps, best_row, best_column, hit)
    hit.sequence = sequence


@kernel
def _trace(units, low, sequences, begin, steps, row, column, hit):
    """Follows the steps back from the end of the alignment."""
    hit.first = hit.last = low + row
    hit.units = hit.numbers = hit.replaced = 0
    hit.matched = hit.asks = 0
    while row > 0 and column > 0 and steps[row, column] != _STOP:
        step = steps[row, column]
        if step == _BOTH:
            unit, own = units[low + row - 1], begin + column - 1
            if unit.hash == sequences.units[own]:
                hit.first = low + row - 1
                hit.units += 1
                hit.matched += sequences.weights[own]
                hit.asks += sequences.weights[own] if sequences.flags[own] & ASKS else 0
                hit.numbers += sequences.flags[own] & NUMBER
            else:
                hit.replaced += unit.flags & sequences.flags[own] & NUMBER
        row -= step != _ITEM
        column -= step != _DOCUMENT

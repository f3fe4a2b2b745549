"""Where the elements of a JSON array end: one pass over its bytes, which holds for a text of any length."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from filters.text.kernel import kernel


@kernel
def _find_ends(data, state, ends):  # type: ignore[no-untyped-def]
    depth, in_string, escaped = state[0], state[1], state[2]
    found = 0
    for place in range(len(data)):
        byte = data[place]
        if in_string:
            if escaped:
                escaped = 0
            elif byte == 92:  # \
                escaped = 1
            elif byte == 34:  # "
                in_string = 0
        elif byte == 34:
            in_string = 1
        elif byte == 91 or byte == 123:  # [ {
            depth += 1
        elif byte == 93 or byte == 125:  # ] }
            depth -= 1
            if depth == 0:
                ends[found] = place
                found += 1
                break
        elif byte == 44 and depth == 1:  # ,
            ends[found] = place
            found += 1
    state[0], state[1], state[2] = depth, in_string, escaped
    return found


@dataclass
class ElementEnds:
    """Finds the ends in block after block of an array."""

    _state: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))

    def find(self, block: bytes) -> npt.NDArray[np.int64]:
        """The places of the commas between elements in the next block, and of the bracket that ends them.

        The first block begins with the bracket that opens the array. What follows its end is not looked at.
        """
        ends = np.empty(len(block), np.int64)
        return ends[: _find_ends(np.frombuffer(block, np.uint8), self._state, ends)]

    @property
    def is_closed(self) -> bool:
        """Whether the array has ended."""
        return bool(self._state[0] == 0)

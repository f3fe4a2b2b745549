"""Continued byte-pair merging: which pairs of tokens to join next, learnt from words with their counts."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import compiled

VERSION = 2
"""To be raised when the same words give other tokens."""

SEEN_ONCE = 1.0
"""What a pair that occurs once is worth, which is not joined."""

Symbols = npt.NDArray[np.int32]
Positions = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Join:
    """A new token."""

    parts: tuple[int, ...]
    """The two symbols that it joins; of a character that was bytes, the character's symbol."""
    gain: float
    """How many tokens it saves, each counted as its word is."""
    at: Positions
    """Where it stands, in the symbols of all words."""


class Learner:
    """Words as symbols in one flat array, linked to their neighbours; joins happen in place.

    For each pair the positions where it begins are kept, and a heap orders pairs by an upper bound of their
    count: joins elsewhere only ever make a pair rarer. A pair that comes up is counted anew; if it has become
    rarer, it goes back with its true count.

    Args:
        symbols: Of all words, one after another.
        offsets: Where each word begins, and the end of the last.
        counts: How much each word counts: how often it occurs, or its worth.
        fixed: For each symbol below the first new one, whether it is never joined.
        characters: Symbols that are fixed until they become tokens of their own, each with the tokens that it
            then saves wherever it occurs.
    """

    def __init__(
        self,
        symbols: Symbols,
        offsets: npt.NDArray[np.int64],
        counts: npt.NDArray[np.float64],
        fixed: npt.NDArray[np.bool_],
        characters: dict[int, int],
    ) -> None:
        lengths = np.diff(offsets)
        edges = offsets[:-1][lengths > 0], offsets[1:][lengths > 0] - 1
        self._symbols = symbols.copy()
        self._next = np.arange(1, len(symbols) + 1, dtype=np.int32)
        self._previous = np.arange(-1, len(symbols) - 1, dtype=np.int32)
        self._previous[edges[0]] = self._next[edges[1]] = -1
        self._counts = np.repeat(counts, lengths)
        self._fixed = np.append(fixed, False)
        self._places: dict[tuple[int, ...], Positions] = {}
        self._heap: list[tuple[float, tuple[int, ...]]] = []
        self._savings = characters
        self._notice_characters()
        self._notice(np.arange(len(symbols), dtype=np.int32))

    def learn(self, may_join: Callable[[tuple[int, ...]], bool]) -> Iterator[Join]:
        """Each time what saves most, of equals the one with smaller symbols; it is joined when it is given.

        The first new symbol is the one after all that are known, the next one follows, and so on.

        Args:
            may_join: Whether these parts may become a token; asked again each time that they come up.
        """
        new = len(self._fixed) - 1
        while self._heap:
            bound, parts = heapq.heappop(self._heap)
            at, gain = self._recounted(parts)
            if gain <= SEEN_ONCE or not may_join(parts):
                del self._places[parts]
            elif gain != -bound:
                self._places[parts] = at
                heapq.heappush(self._heap, (-gain, parts))
            else:
                del self._places[parts]
                joined = self._join(parts, at, new)
                new += 1
                yield Join(parts, gain, joined)

    def _recounted(self, parts: tuple[int, ...]) -> tuple[Positions, float]:
        """Where the parts still stand, and what joining them saves."""
        at = self._places[parts]
        if len(parts) == 1:
            return at, self._savings[parts[0]] * float(self._counts[at].sum())
        kept, count = _still_there(at, self._symbols, self._next, self._counts, *parts)
        return at[:kept], count

    def _join(self, parts: tuple[int, ...], at: Positions, new: int) -> Positions:
        """Where it was joined."""
        if len(parts) == 1:
            self._symbols[at] = new
        else:
            at = at[: _join_all(at, self._symbols, self._next, self._previous, *parts, new)]
        before = self._previous[at]
        self._notice(np.unique(np.concatenate([before[before >= 0], at])))
        return at

    def _notice(self, at: Positions) -> None:
        """Take up the pairs that begin at these positions, which ascend."""
        at = at[self._next[at] >= 0]
        left, right = self._symbols[at], self._symbols[self._next[at]]
        last = len(self._fixed) - 1
        free = ~(self._fixed[np.minimum(left, last)] | self._fixed[np.minimum(right, last)])
        self._take_up(at[free], left[free].astype(np.int64) << 32 | right[free], pairs=True)

    def _notice_characters(self) -> None:
        at = np.flatnonzero(np.isin(self._symbols, list(self._savings))).astype(np.int32)
        self._take_up(at, self._symbols[at].astype(np.int64), pairs=False)

    def _take_up(self, at: Positions, keys: npt.NDArray[np.int64], *, pairs: bool) -> None:
        if not len(at):
            return
        order = np.argsort(keys, kind="stable")
        at, keys = at[order], keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        counts = np.add.reduceat(self._counts[at], starts)
        stops = np.append(starts[1:], len(at))
        often = counts > SEEN_ONCE
        for key, start, stop, count in zip(
            keys[starts[often]].tolist(),
            starts[often].tolist(),
            stops[often].tolist(),
            counts[often].tolist(),
            strict=True,
        ):
            parts = (key >> 32, key & 0xFFFFFFFF) if pairs else (key,)
            gain = count if pairs else count * self._savings[key]
            self._places[parts] = at[start:stop]
            heapq.heappush(self._heap, (-gain, parts))


@compiled
def _still_there(
    at: Positions,
    symbols: Symbols,
    following: Positions,
    counts: npt.NDArray[np.float64],
    left: int,
    right: int,
) -> tuple[int, float]:
    """Moves the positions where the pair stands to the front; counts those that do not overlap."""
    kept, total, taken = 0, 0.0, -1
    for position in at:
        after = following[position]
        if symbols[position] != left or after < 0 or symbols[after] != right:
            continue
        at[kept] = position
        kept += 1
        if position != taken:
            total += counts[position]
            taken = after
    return kept, total


@compiled
def _join_all(
    at: Positions,
    symbols: Symbols,
    following: Positions,
    previous: Positions,
    left: int,
    right: int,
    new: int,
) -> int:
    """Joins the pair wherever it stands, from left to right; moves the positions joined to the front."""
    joined = 0
    for position in at:
        after = following[position]
        if symbols[position] != left or after < 0 or symbols[after] != right:
            continue
        symbols[position], symbols[after] = new, -1
        following[position] = following[after]
        if following[after] >= 0:
            previous[following[after]] = position
        at[joined] = position
        joined += 1
    return joined

"""Questions that were asked before: of the same document in other words, or of any in the same.

Two questions of one document are the same where their content stems are alike (Jaccard), as long as they ask
for the same kind of thing (when, where, who, ...) and name the same numbers. What is remembered is flat: two
tables of hashes and 32 bits a stem, some 70 to 100 bytes a question.
"""

from __future__ import annotations

from array import array

import numpy as np
import xxhash

from pipelines.synthesis.checks.words import content_stems, folded, words

_KINDS = {
    name: kind
    for kind, names in enumerate(
        (
            "when year date когда году год дата",
            "where place где куда откуда место",
            "who whom whose кто кого кому кем чей",
            "why reason почему зачем причина",
            "many much often сколько",
            "how как каким",
            "what which что какой какая какое какие чем",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
"""What a question asks for, by its words; the first kind that is there counts."""
_FEWEST = 2
"""Stems that two questions must share."""


class SeenQuestions:
    """Tells which questions are new; what it says depends on the questions before.

    Args:
        alike: The Jaccard similarity of stems from which on two questions of a document are one.
    """

    def __init__(self, alike: float = 0.65) -> None:
        self._alike = alike
        self._exact = _HashTable()
        self._last = _HashTable()
        self._previous = array("I")
        self._ends = array("Q", [0])
        self._stems = array("I")

    def is_new(self, question: str, parent_id: str) -> bool:
        """Whether nothing like it was asked; then it counts as asked."""
        exact = _hash(" ".join(words(question)))
        stems = _signature(question)
        parent = _hash(parent_id)
        if self._exact.get(exact) or any(self._is_like(stems, other) for other in self._of(parent)):
            return False
        number = len(self._previous) + 1
        self._exact.put(exact, 1)
        self._previous.append(self._last.get(parent))
        self._last.put(parent, number)
        self._stems.extend(stems)
        self._ends.append(len(self._stems))
        return True

    def _of(self, parent: int) -> list[list[int]]:
        """The signatures of a document's questions."""
        found = []
        number = self._last.get(parent)
        while number:
            found.append(self._stems[self._ends[number - 1] : self._ends[number]].tolist())
            number = self._previous[number - 1]
        return found

    def _is_like(self, one: list[int], other: list[int]) -> bool:
        if one[0] and other[0] and one[0] != other[0]:
            return False
        mine, theirs = set(one[1:]), set(other[1:])
        if any(stem & 1 for stem in mine ^ theirs):
            return False
        shared = len(mine & theirs)
        return shared >= _FEWEST and shared >= self._alike * len(mine | theirs)


def _signature(question: str) -> list[int]:
    """The kind of a question, and 32 bits of each content stem, the last of which says that it has digits."""
    kinds = (_KINDS[word] for word in folded(question).replace("?", " ").split() if word in _KINDS)
    stems = sorted({*content_stems(question)} or {*words(question)})
    hashes = (_hash(stem) & 0xFFFFFFFE | any(map(str.isdigit, stem)) for stem in stems)
    return [min(kinds, default=0), *hashes]


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


class _HashTable:
    """Numbers by 64-bit hashes, open addressing in two flat arrays; 0 where there is none."""

    def __init__(self) -> None:
        self._keys = np.zeros(1024, dtype=np.uint64)
        self._values = np.zeros(1024, dtype=np.uint32)
        self._used = 0

    def get(self, key: int) -> int:
        return int(self._values[self._place(key)])

    def put(self, key: int, value: int) -> None:
        place = self._place(key)
        self._used += not self._values[place]
        self._keys[place], self._values[place] = key, value
        if self._used * 4 > self._keys.size * 3:
            self._grow()

    def _place(self, key: int) -> int:
        """Where a key is, or is to be."""
        mask = self._keys.size - 1
        place = key & mask
        while self._values[place] and self._keys[place] != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._keys = np.zeros(2 * keys.size, dtype=np.uint64)
        self._values = np.zeros(2 * keys.size, dtype=np.uint32)
        for place in np.flatnonzero(values):
            at = self._place(int(keys[place]))
            self._keys[at], self._values[at] = keys[place], values[place]

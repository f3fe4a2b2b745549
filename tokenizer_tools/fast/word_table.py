"""Counting the distinct words of texts, as a tokenizer cuts them, and the stretches that hold them."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.compiled import entry
from tokenizer_tools.fast.byte_strings import ByteStrings, enter, find
from tokenizer_tools.fast.cutting import Cutter, copy_segment, next_word
from tokenizer_tools.fast.memory import PADDING

STRETCH = 1 << 14
"""Bytes of a text, from its beginning on, that are one place where a word is found."""

_ROOM = 1 << 16


class WordTable:
    """Distinct words, how often each occurs, and in how many stretches of text.

    A word is what the tokenizer never joins with its neighbours, in the form in which its model gets it.
    Added tokens that are not control tokens are no words. The table grows with the words: who wants bounded
    memory looks at `nbytes` and begins a new one.
    """

    def __init__(self, definition: dict[str, Any]) -> None:
        """An empty table.

        Args:
            definition: tokenizer.json.

        Raises:
            UnknownTokenizerError: The tokenizer cuts words in a way that is not known here.
        """
        self._cutter = Cutter(definition, control_tokens=False)
        self._strings = ByteStrings.with_room(_ROOM, _ROOM)
        self._counts = np.zeros(_ROOM, np.int64)
        self._stretches = np.zeros(_ROOM, np.int64)
        self._last_stretch = np.full(_ROOM, -1)
        self._used = np.zeros(2, np.int64)
        self._room_taken = 0

    def add(self, texts: pa.LargeStringArray) -> None:
        """Count the words of texts. Nulls have none."""
        data, bounds, ends = self._cutter.segments(texts)
        longest = self._cutter.growth * (int((bounds[:, 1] - bounds[:, 0]).max(initial=0)) + 1)
        text = np.empty(longest + PADDING, np.uint8)
        begins = self._begins(bounds, ends)
        self._grow(longest)
        place = np.zeros(2, np.int64)
        while place[0] < len(bounds):
            tallies = Tallies(self._counts, self._stretches, self._last_stretch)
            _count(data, bounds, begins, self._cutter.words, text, self._strings, tallies, self._used, place)
            self._grow(longest)

    def words(self) -> tuple[pa.LargeBinaryArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The words in the order in which they were met, their counts, and how many stretches hold them."""
        number, size = self._used.tolist()
        offsets = pa.py_buffer(self._strings.offsets[: number + 1].copy())
        content = pa.py_buffer(self._strings.content[:size].copy())
        words = pa.Array.from_buffers(pa.large_binary(), number, [None, offsets, content])
        return words, self._counts[:number].copy(), self._stretches[:number].copy()

    @property
    def nbytes(self) -> int:
        """The bytes of memory that the table takes."""
        tallies = (self._counts, self._stretches, self._last_stretch)
        return sum(array.nbytes for array in (*self._strings, *tallies))

    def _begins(self, bounds: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where each segment begins if all texts ever added stood in a row, each from a new stretch on."""
        sizes = self._cutter.growth * (bounds[:, 1] - bounds[:, 0] + 1)
        begins = np.concatenate([[0], np.cumsum(sizes)])
        firsts = np.concatenate([[0], ends])
        room = -(-np.diff(begins[firsts]) // STRETCH) * STRETCH
        texts = self._room_taken + np.concatenate([[0], np.cumsum(room)])
        self._room_taken = int(texts[-1])
        shifted: npt.NDArray[np.int64] = begins[:-1] + np.repeat(
            texts[:-1] - begins[firsts[:-1]], np.diff(firsts)
        )
        return shifted

    def _grow(self, longest: int) -> None:
        """Have room for as many words as there are and a word of so many bytes."""
        number, size = self._used.tolist()
        few_words = 2 * number >= len(self._counts)
        if not few_words and size + longest + PADDING <= len(self._strings.content):
            return
        words = len(self._counts) * (2 if few_words else 1)
        grown = ByteStrings.with_room(words, 2 * (size + longest) + PADDING)
        grown.content[:size] = self._strings.content[:size]
        grown.offsets[: number + 1] = self._strings.offsets[: number + 1]
        enter(grown, 0, number)
        self._strings = grown
        self._counts = np.concatenate([self._counts[:number], np.zeros(words - number, np.int64)])
        self._stretches = np.concatenate([self._stretches[:number], np.zeros(words - number, np.int64)])
        self._last_stretch = np.concatenate([self._last_stretch[:number], np.full(words - number, -1)])


class Tallies(NamedTuple):
    """What is known of each word."""

    counts: npt.NDArray[np.int64]
    stretches: npt.NDArray[np.int64]
    last_stretch: npt.NDArray[np.int64]


@entry
def _count(data, bounds, begins, words, text, strings, tallies, used, place):
    """Count words from a place on, which is a segment and how many of its bytes are done, until room ends."""
    while place[0] < len(bounds):
        start, stop, number = bounds[place[0], 0], bounds[place[0], 1], bounds[place[0], 2]
        if number < 0 and stop > start:
            size = copy_segment(data, start, stop, words.spaces, text)
            at = place[1]
            while at < size:
                end = next_word(text, at, size, words)
                slot = find(strings, text, at, end - at)
                if slot < 0:
                    if used[0] == len(tallies.counts) or used[1] + end - at + PADDING > len(strings.content):
                        place[1] = at
                        return
                    slot = ~slot
                    strings.slots[slot] = used[0]
                    for byte in range(at, end):
                        strings.content[used[1] + byte - at] = text[byte]
                    used[1] += end - at
                    used[0] += 1
                    strings.offsets[used[0]] = used[1]
                word = strings.slots[slot]
                tallies.counts[word] += 1
                stretch = (begins[place[0]] + at) // STRETCH
                if tallies.last_stretch[word] != stretch:
                    tallies.last_stretch[word] = stretch
                    tallies.stretches[word] += 1
                at = end
        place[0] += 1
        place[1] = 0

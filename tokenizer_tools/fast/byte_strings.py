"""Numbered byte strings that are found by their bytes: tokens of a vocabulary, words of a corpus."""

# mypy: allow-untyped-defs, allow-untyped-calls

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry, inline_kernel, kernel
from tokenizer_tools.fast.memory import PADDING, first_bytes64, load64

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class ByteStrings(NamedTuple):
    """Byte strings one after another: number i is bytes[offsets[i]:offsets[i + 1]]."""

    bytes: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int32]
    """A hash table with open addressing: number of the string, -1 where there is none."""

    @classmethod
    def of(cls, strings: Sequence[bytes]) -> "ByteStrings":
        """The table of distinct strings, numbered as they are given."""
        table = cls.with_room(len(strings), sum(map(len, strings)))
        joined = b"".join(strings)
        table.bytes[: len(joined)] = np.frombuffer(joined, np.uint8)
        table.offsets[:] = np.cumsum([0, *map(len, strings)])
        enter(table, 0, len(strings))
        return table

    @classmethod
    def with_room(cls, strings: int, size: int) -> "ByteStrings":
        """An empty table for so many strings of so many bytes in all."""
        slots = np.full(1 << (2 * strings + 1).bit_length(), -1, np.int32)
        return cls(np.zeros(size + PADDING, np.uint8), np.zeros(strings + 1, np.int64), slots)


@kernel
def hash_of(data, at, length):
    """A hash of bytes; eight more can be read after them."""
    state = np.uint64(length)
    while length > 8:
        state = (state ^ load64(data, at)) * _MULTIPLIER
        state ^= state >> _HALF
        at += 8
        length -= 8
    state = (state ^ first_bytes64(data, at, length, 0)) * _MULTIPLIER
    return state ^ state >> _HALF


@inline_kernel
def _equal(data, at, other, place, length):
    while length > 8:
        if load64(data, at) != load64(other, place):
            return False
        at += 8
        place += 8
        length -= 8
    return first_bytes64(data, at, length, 0) == first_bytes64(other, place, length, 0)


@kernel
def find(strings, data, at, length):
    """The slot of the string with these bytes, the free one for it as a negative number if there is none."""
    mask = np.int64(len(strings.slots) - 1)
    slot = np.int64(hash_of(data, at, length)) & mask
    while True:
        number = np.int64(strings.slots[slot])
        if number < 0:
            return ~slot
        start = strings.offsets[number]
        if strings.offsets[number + 1] - start == length and _equal(data, at, strings.bytes, start, length):
            return slot
        slot = (slot + 1) & mask


@entry
def enter(strings, first, end):
    """Enter the strings of these numbers, which the table does not hold yet, into its slots."""
    for number in range(first, end):
        start = strings.offsets[number]
        slot = find(strings, strings.bytes, start, strings.offsets[number + 1] - start)
        if slot < 0:
            strings.slots[~slot] = number

"""The ids of words met before: a hash table whose entry is one line of the processor's cache."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import inline_kernel, kernel
from tokenizer_tools.fast.memory import copy_eight, equals_word, first_bytes64, peek, store_word

LONGEST = 31
"""Bytes of the longest word that is kept."""

_LINE = 64
_IDS = 8
"""Where in an entry of 16 numbers the ids begin; the word is before."""
_MOST = 7
"""Ids that an entry holds itself; more are in the pool, from the place on that stands there instead."""
_HEAD = 15
"""Where the word's length and the number of its ids stand."""
_FIRST, _SECOND, _THIRD, _FOURTH = (
    np.uint64(number)
    for number in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
)
_HALF = np.uint64(32)


class WordCache(NamedTuple):
    """Words with their ids; begins anew when it is full."""

    words: npt.NDArray[np.uint8]
    """The memory of the entries."""
    entries: npt.NDArray[np.uint32]
    """The same memory."""
    shift: np.uint64
    pool: npt.NDArray[np.uint32]
    used: npt.NDArray[np.int64]
    """Entries and numbers of the pool in use, and the most entries."""

    @classmethod
    def of_size(cls, words: int) -> "WordCache":
        """For so many words."""
        bits = max(4, (2 * words - 1).bit_length())
        memory = np.zeros((_LINE << bits) + _LINE, np.uint8)
        start = -memory.ctypes.data % _LINE
        lines = memory[start : start + (_LINE << bits)]
        pool = np.empty(4 * words + LONGEST, np.uint32)
        return cls(lines, lines.view(np.uint32), np.uint64(64 - bits), pool, np.array([0, 0, words]))


@inline_kernel
def slot_of(cache, text, at, length):
    """The entry at which to look for a word first."""
    state = (
        first_bytes64(text, at, length, 0) * _FIRST
        + first_bytes64(text, at, length, 1) * _SECOND
        + first_bytes64(text, at, length, 2) * _THIRD
        + first_bytes64(text, at, length, 3) * _FOURTH
    )
    return np.int64((state ^ state >> _HALF) * _FIRST >> cache.shift)


@inline_kernel
def find_word(cache, text, at, length, slot):
    """The entry of a word, or the free one where it would stand as a negative number."""
    last = (len(cache.entries) >> 4) - 1
    while True:
        head = np.int64(peek(cache.entries, slot << 4 | _HEAD))
        if head >> 8 == length and equals_word(text, at, length, cache.words, slot << 6):
            return slot
        if head == 0:
            return ~slot
        slot = (slot + 1) & last


@inline_kernel
def copy_ids(cache, slot, out, at):
    """Write the ids of an entry to `out` from `at` on, where there is room for eight; returns their end."""
    place = slot << 4
    count = np.int64(peek(cache.entries, place | _HEAD)) & 0xFF
    copy_eight(cache.entries, place + _IDS, out, at)
    if count > _MOST:
        pooled = np.int64(cache.entries[place + _IDS])
        for number in range(count):
            out[at + number] = cache.pool[pooled + number]
    return at + count


@kernel
def keep_word(cache, text, at, length, slot, out, begin, end):
    """Put a word with its ids into a free entry, or into the emptied cache if it is full."""
    entries, used = cache.entries, cache.used
    count = end - begin
    if used[0] >= used[2] or used[1] + count > len(cache.pool):
        entries[:] = 0
        used[0] = used[1] = 0
        slot = slot_of(cache, text, at, length)
    store_word(text, at, length, cache.words, slot << 6)
    place = slot << 4
    entries[place | _HEAD] = np.uint32(length << 8 | count)
    used[0] += 1
    if count <= _MOST:
        for number in range(count):
            entries[place + _IDS + number] = out[begin + number]
        return
    entries[place + _IDS] = np.uint32(used[1])
    for number in range(count):
        cache.pool[used[1] + number] = out[begin + number]
    used[1] += count

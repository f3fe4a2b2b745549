"""Byte-pair merging of one word: always the pair of lowest rank, of equals the first."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry, inline_kernel, kernel
from tokenizer_tools.fast.memory import least_of_16, peek, poke

ID_BITS = 21
RANK_BITS = 64 - 2 * ID_BITS
NONE = (1 << RANK_BITS) - 1
"""The rank of a pair that is not merged."""
SHORT = 64
"""Symbols up to which the lowest rank is sought among all; a longer word takes a heap."""

_RECENT_BITS = 15
_RECENT_SHIFT = np.uint64(64 - _RECENT_BITS)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_RANK = np.uint64(NONE)
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_RANK_BITS = np.uint64(RANK_BITS)
_ID_BITS = np.uint64(ID_BITS)
NO_KEY = np.uint32(0xFFFFFFFF)


class Merges(NamedTuple):
    """The merges of a tokenizer."""

    pairs: npt.NDArray[np.uint64]
    """A hash table with open addressing: left id, right id and rank in one number."""
    shift: np.uint64
    results: npt.NDArray[np.uint32]
    """The id that the merge of each rank gives."""
    recent: npt.NDArray[np.uint64]
    """Pairs looked up of late, each in the one slot for it, with rank or `NONE`; it stays in the caches."""


def build_merges(lefts: Iterable[int], rights: Iterable[int], results: Iterable[int]) -> Merges:
    """Merges in the order of their ranks; of a pair given twice the last counts."""
    left, right = np.array(lefts, np.uint64), np.array(rights, np.uint64)
    bits = max(4, int(2 * len(left)).bit_length())
    pairs = np.full(1 << bits, _EMPTY, np.uint64)
    shift = np.uint64(64 - bits)
    _fill(pairs, shift, left, right)
    return Merges(pairs, shift, np.array(results, np.uint32), np.full(1 << _RECENT_BITS, _EMPTY, np.uint64))


@entry
def _fill(pairs, shift, left, right):
    mask = np.int64(len(pairs) - 1)
    for rank in range(len(left)):
        key = left[rank] << _ID_BITS | right[rank]
        slot = np.int64(key * _MULTIPLIER >> shift)
        while pairs[slot] != _EMPTY and pairs[slot] >> _RANK_BITS != key:
            slot = (slot + 1) & mask
        pairs[slot] = key << _RANK_BITS | np.uint64(rank)


@inline_kernel
def _slot(merges, key):
    return np.int64(key * _MULTIPLIER >> merges.shift)


@kernel
def _search(merges, key, recent):
    """The rank of a pair that is not among the recent ones, where it is put."""
    slot = _slot(merges, key)
    found = peek(merges.pairs, slot)
    while found >> _RANK_BITS != key:
        if found == _EMPTY:
            found = key << _RANK_BITS | _RANK
            break
        slot = (slot + 1) & (len(merges.pairs) - 1)
        found = peek(merges.pairs, slot)
    poke(merges.recent, recent, found)
    return np.int64(found & _RANK)


@inline_kernel
def _key(left, right):
    return np.uint64(left) << _ID_BITS | np.uint64(right)


@inline_kernel
def _recent_slot(key):
    return np.int64(key * _MULTIPLIER >> _RECENT_SHIFT)


@inline_kernel
def _rank(merges, key, recent, found):
    """The rank of a pair, from the slot where it is if it was looked up of late and what stands there."""
    if found >> _RANK_BITS == key:
        return np.int64(found & _RANK)
    return _search(merges, key, recent)


@inline_kernel
def rank_of(merges, left, right):
    """The rank of a pair of ids, `NONE` if it is not merged."""
    key = _key(left, right)
    recent = _recent_slot(key)
    return _rank(merges, key, recent, peek(merges.recent, recent))


@inline_kernel
def key_of(rank, place):
    """Orders the pairs of a short word: by rank, then by place."""
    return NO_KEY if rank == NONE else np.uint32(rank << 6 | place)


@inline_kernel
def _least_key(keys, count):
    best = least_of_16(keys, 0)
    for block in range(16, count, 16):
        best = min(best, least_of_16(keys, block))
    return best


@kernel
def merge_short(merges, memory, count, out, at):
    """Merge up to `SHORT` symbols of the memory and write the ids to `out` from `at`; returns their end."""
    symbols, keys, following, before = memory.symbols, memory.keys, memory.following, memory.before
    for place in range(count):
        poke(following, place, place + 1)
        poke(before, place + 1, place)
    for place in range(count, (count + 15) & -16):
        poke(keys, place, NO_KEY)
    while True:
        best = _least_key(keys, count)
        if best == NO_KEY:
            break
        place = np.int64(best & np.uint32(63))
        joined = peek(merges.results, np.int64(best >> np.uint32(6)))
        gone = peek(following, place)
        after = peek(following, gone)
        previous = peek(before, place)
        right_key = _key(joined, peek(symbols, after))
        right_slot = _recent_slot(right_key)
        right = peek(merges.recent, right_slot)
        if place > 0:
            poke(keys, previous, key_of(rank_of(merges, peek(symbols, previous), joined), previous))
        poke(keys, gone, NO_KEY)
        poke(symbols, place, joined)
        poke(following, place, after)
        poke(before, after, place)
        rank = _rank(merges, right_key, right_slot, right) if after < count else NONE
        poke(keys, place, key_of(rank, place))
    place = np.int64(0)
    while place < count:
        poke(out, at, peek(symbols, place))
        at += 1
        place = peek(following, place)
    return at


@kernel
def _push(heap, size, value):
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if heap[parent] <= value:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = value


@kernel
def _pop(heap, size):
    """Take the least of `size` values off."""
    value = heap[size - 1]
    parent, child = 0, 1
    while child < size - 1:
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if value <= heap[child]:
            break
        heap[parent] = heap[child]
        parent, child = child, 2 * child + 1
    heap[parent] = value


@kernel
def merge_long(merges, memory, count, out, at):
    """The same for any number of symbols, in time that grows with n log n."""
    symbols, following, before, heap = memory.symbols, memory.following, memory.before, memory.heap
    place_bits, places = np.uint64(32), np.uint64(0xFFFFFFFF)
    size = 0
    for place in range(count):
        following[place] = place + 1
        before[place] = place - 1
        if place + 1 < count:
            rank = rank_of(merges, symbols[place], symbols[place + 1])
            if rank != NONE:
                _push(heap, size, np.uint64(rank) << place_bits | np.uint64(place))
                size += 1
    while size > 0:
        best = heap[0]
        _pop(heap, size)
        size -= 1
        place = np.int64(best & places)
        gone = following[place]
        if gone < 0 or gone >= count:
            continue
        rank = rank_of(merges, symbols[place], symbols[gone])
        if rank != np.int64(best >> place_bits):  # one of the two has been merged otherwise
            continue
        joined = merges.results[rank]
        symbols[place] = joined
        after = following[gone]
        following[gone] = -1
        following[place] = after
        if after < count:
            before[after] = place
            rank = rank_of(merges, joined, symbols[after])
            if rank != NONE:
                _push(heap, size, np.uint64(rank) << place_bits | np.uint64(place))
                size += 1
        if place > 0:
            previous = before[place]
            rank = rank_of(merges, symbols[previous], joined)
            if rank != NONE:
                _push(heap, size, np.uint64(rank) << place_bits | np.uint64(previous))
                size += 1
    place = np.int64(0)
    while place < count:
        out[at] = symbols[place]
        at += 1
        place = following[place]
    return at

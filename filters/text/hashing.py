"""Hashes of byte ranges, and one hash table that every kernel reuses."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from filters.text.kernel import inline_kernel, kernel

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SEED = np.uint64(0xA0761D6478BD642F)
_HALF = np.uint64(32)
FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(9)] + [2**64 - 1] * 8, dtype=np.uint64)
"""Masks of the first bytes of eight."""


@intrinsic  # type: ignore[untyped-decorator]
def load64(typing_context: Any, data: Any, at: Any) -> Any:
    """The eight bytes of a uint8 array from byte `at` on, as a little-endian number; unchecked."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(data, types.int64), codegen


@inline_kernel
def mix(state):
    """Spreads a number over all 64 bits; one to one."""
    state ^= state >> _HALF
    state *= _MIX
    state ^= state >> _HALF
    state *= _MIX
    return state ^ (state >> _HALF)


@inline_kernel
def combine(state, value):
    """The hash of a sequence, one element longer."""
    state = state * _MULTIPLIER + value
    return state ^ (state >> _HALF)


@inline_kernel
def hash_bytes(data, begin, end):
    """A 64-bit hash of `data[begin:end]`, never 0; 16 bytes a step, so one step for most words."""
    state = np.uint64(end - begin) * _SEED
    at = begin
    while at + 16 < end:
        state = _combine_pair(state, load64(data, at), load64(data, at + 8))
        at += 16
    low, high = _last_bytes(data, at, end)
    return mix(_combine_pair(state, low, high)) | np.uint64(1)


@inline_kernel
def hash_short(size, low, high):
    """The same of up to 16 bytes, given as two little-endian numbers."""
    return mix(_combine_pair(np.uint64(size) * _SEED, low, high)) | np.uint64(1)


def hash_text(text: str) -> np.uint64:
    """The hash of the bytes of a text in UTF-8."""
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    return np.uint64(hash_bytes(data, 0, len(data)))


@inline_kernel
def _combine_pair(state, low, high):
    state = (state ^ low) * _MULTIPLIER + (high ^ _SEED) * _MIX
    return state ^ (state >> _HALF)


@inline_kernel
def _last_bytes(data, at, end):
    """The up to 16 bytes of `data[at:end]` as two numbers."""
    size = end - at
    if at + 16 <= data.size:
        low = load64(data, at) & FIRST_BYTES[size]
        high = load64(data, at + 8) & FIRST_BYTES[max(size - 8, 0)]
    else:
        low = high = np.uint64(0)
        for index in range(size):
            byte = np.uint64(data[at + index])
            if index < 8:
                low |= byte << np.uint64(8 * index)
            else:
                high |= byte << np.uint64(8 * index - 64)
    return low, high


ENTRY = np.dtype([("key", np.uint64), ("count", np.int32), ("seen", np.int32)])
"""A slot of the hash table in which lines and n-grams are counted; key 0 is empty."""


@kernel
def clear(table):
    """Empties an `ENTRY` table."""
    for slot in range(table.size):
        table[slot].key = 0
        table[slot].count = 0
        table[slot].seen = 0


@inline_kernel
def find_entry(table, key):
    """The slot of an `ENTRY` table that holds `key`, never 0, or the empty slot where it belongs.

    The two ways to end are one condition: which of them it is cannot be predicted, that it is one mostly can.
    """
    mask = table.size - 1
    slot = np.int64(key & np.uint64(mask))
    while (table[slot].key != 0) & (table[slot].key != key):
        slot = (slot + 1) & mask
    return slot


@kernel
def was_seen(table, key):
    """Whether the key is in the table; it is afterwards."""
    slot = find_entry(table, key)
    seen = table[slot].key == key
    table[slot].key = key
    return seen


@kernel
def slots_for(count):
    """Slots of a hash table for `count` keys: a power of two, at most half full."""
    slots = 16
    while slots < 2 * count:
        slots *= 2
    return slots


@inline_kernel
def find_slot(table, mask, key):
    """The slot in `table[: mask + 1]` that holds `key`, never 0, or the empty slot where it belongs."""
    slot = np.int64(key & np.uint64(mask))
    while (table[slot] != 0) & (table[slot] != key):
        slot = (slot + 1) & mask
    return slot

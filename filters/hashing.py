"""Hashes of byte ranges, and one hash table that every kernel reuses."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from filters.kernel import inline_kernel, kernel

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


@intrinsic  # type: ignore[untyped-decorator]
def load64(typing_context: Any, data: Any, at: Any) -> Any:
    """The eight bytes of a uint8 array from byte `at` on, as a little-endian number; unchecked."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(data, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(typing_context: Any, number: Any) -> Any:
    """The zero bits below the lowest one of a uint64; 64 if there is no one."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def ones(typing_context: Any, number: Any) -> Any:
    """The bits of a uint64 that are one."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), codegen


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


@kernel
def hash_bytes(data, begin, end):
    """A 64-bit hash of `data[begin:end]`, never 0."""
    state = np.uint64(end - begin)
    at = begin
    while at + 8 <= end:
        state = combine(state, load64(data, at))
        at += 8
    if at < end:
        tail = np.uint64(0)
        if at + 8 <= data.size:
            tail = load64(data, at) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * (end - at)))
        else:
            for index in range(at, end):
                tail |= np.uint64(data[index]) << np.uint64(8 * (index - at))
        state = combine(state, tail)
    return mix(state) | np.uint64(1)


ENTRY = np.dtype([("key", np.uint64), ("count", np.int64)])
"""A slot of the hash table in which lines and n-grams are counted; key 0 is empty."""


@kernel
def clear(table):
    """Empties an `ENTRY` table."""
    for slot in range(table.size):
        table[slot].key = 0
        table[slot].count = 0


@kernel
def was_seen(table, key):
    """Whether the key is in the table; it is afterwards."""
    mask = table.size - 1
    slot = np.int64(key & np.uint64(mask))
    while table[slot].key != 0:
        if table[slot].key == key:
            return True
        slot = (slot + 1) & mask
    table[slot].key = key
    return False


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
    while table[slot] != 0 and table[slot] != key:
        slot = (slot + 1) & mask
    return slot

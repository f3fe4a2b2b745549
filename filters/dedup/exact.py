"""Exact duplicates: a 128-bit hash of the normalised text, and equal values among many."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.text.characters import SPACE, character_classes, decode, step
from filters.text.folding import lower_case
from filters.text.hashing import hash_bytes
from filters.text.kernel import driver, inline_kernel, kernel
from filters.text.texts import Texts, text_buffers
from filters.text.values import bytes_of

VERSION = 1


def content_hash(texts: Texts) -> pa.FixedSizeBinaryArray:
    """The hash of each text after normalisation: fixed_size_binary(16).

    Normalisation: each character becomes lower-case (Unicode's simple mapping), each run of white space
    becomes one space, white space at both ends goes. Nothing else changes: texts that differ in a digit, a
    punctuation mark or an accent are different. The hash is SipHash-2-4 with 128 bits (Aumasson, Bernstein
    2012), key zero, over the code points as 32-bit little-endian numbers: no known way to make two texts
    collide but trying 2**64 of them.
    """
    buffers = text_buffers(texts)
    hashes = np.empty((len(buffers.offsets) - 1, 2), dtype=np.uint64)
    _hash_all(buffers.data, buffers.offsets, character_classes(), lower_case(), hashes)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(hashes), [None, pa.py_buffer(hashes)])


@kernel
def _hash_all(data, offsets, classes, lower, hashes):
    """Fills `hashes`, uint64 of shape (documents, 2)."""
    for document in range(hashes.shape[0]):
        _hash_document(data, offsets[document], offsets[document + 1], classes, lower, hashes[document])


@kernel
def _hash_document(data, begin, end, classes, lower, pair):
    """SipHash-2-4-128 of the normalised `data[begin:end]` in UTF-32, with key zero."""
    state = (
        np.uint64(0x736F6D6570736575),
        np.uint64(0x646F72616E646F6D) ^ np.uint64(0xEE),
        np.uint64(0x6C7967656E657261),
        np.uint64(0x7465646279746573),
    )
    block = np.uint64(0)
    points = 0
    space = False
    at = begin
    while at < end:
        point = decode(data, at, end)
        at = step(data, at, end)
        if classes[point] & SPACE:
            space = points > 0
            continue
        if space:
            block, points, state = _absorb(np.uint64(32), block, points, state)
            space = False
        block, points, state = _absorb(np.uint64(lower[point]), block, points, state)
    state = _compress(block | np.uint64(4 * points) << np.uint64(56), state)
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds(4, v0, v1, v2 ^ np.uint64(0xEE), v3)
    pair[0] = v0 ^ v1 ^ v2 ^ v3
    v0, v1, v2, v3 = _rounds(4, v0, v1 ^ np.uint64(0xDD), v2, v3)
    pair[1] = v0 ^ v1 ^ v2 ^ v3


@inline_kernel
def _absorb(point, block, points, state):
    """Takes in one code point; two fill a block."""
    if points & 1:
        return np.uint64(0), points + 1, _compress(block | point << np.uint64(32), state)
    return point, points + 1, state


@inline_kernel
def _compress(block, state):
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds(2, v0, v1, v2, v3 ^ block)
    return v0 ^ block, v1, v2, v3


@inline_kernel
def _rounds(number, v0, v1, v2, v3):
    for _ in range(number):
        v0 += v1
        v2 += v3
        v1 = _rotate(v1, 13) ^ v0
        v3 = _rotate(v3, 16) ^ v2
        v0 = _rotate(v0, 32)
        v2 += v1
        v0 += v3
        v1 = _rotate(v1, 17) ^ v2
        v3 = _rotate(v3, 21) ^ v0
        v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@inline_kernel
def _rotate(value, bits):
    return value << np.uint64(bits) | value >> np.uint64(64 - bits)


def first_equal(values: pa.Array) -> np.ndarray:
    """For each value the lowest index of an equal one, perhaps its own: int64.

    Args:
        values: strings, binaries or fixed-size binaries, none of them null.
    """
    found: np.ndarray = _first_equal(*bytes_of(values))
    return found


def likely_shared(keys: np.ndarray) -> np.ndarray:
    """Whether each key, uint64, occurs more than once, with a few false positives: bool."""
    found: np.ndarray = _likely_shared(keys)
    return found


@driver
def _likely_shared(keys):
    """By a table of small counts, in which keys that differ may meet."""
    slots = 16
    while slots < 4 * keys.size:
        slots *= 2
    mask = np.uint64(slots - 1)
    seen = np.zeros(slots, dtype=np.uint8)
    for key in keys:
        seen[key & mask] = min(seen[key & mask] + 1, 2)
    shared = np.empty(keys.size, dtype=np.bool_)
    for index in range(keys.size):
        shared[index] = seen[keys[index] & mask] == 2
    return shared


@driver
def _first_equal(data, offsets):
    """By a hash table of indices, at most half full; where hashes meet, the bytes decide."""
    count = offsets.size - 1
    slots = 16
    while slots < 2 * count:
        slots *= 2
    table = np.full(slots, -1, dtype=np.int64)
    first = np.empty(count, dtype=np.int64)
    for index in range(count):
        begin, end = offsets[index], offsets[index + 1]
        slot = np.int64(hash_bytes(data, begin, end) & np.uint64(slots - 1))
        while table[slot] >= 0 and not _equal(data, offsets, table[slot], index):
            slot = (slot + 1) & (slots - 1)
        if table[slot] < 0:
            table[slot] = index
        first[index] = table[slot]
    return first


@kernel
def _equal(data, offsets, a, b):
    begin, end, other = offsets[a], offsets[a + 1], offsets[b]
    if offsets[b + 1] - other != end - begin:
        return False
    while begin < end and data[begin] == data[other]:
        begin += 1
        other += 1
    return begin == end

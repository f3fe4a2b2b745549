"""Shingles: hashes of the runs of words that near-duplicate detection compares."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.characters import decode, step
from filters.text.folding import DROPPED, IDEOGRAPH, SEPARATOR
from filters.text.hashing import combine, mix
from filters.text.kernel import kernel

_BASE = np.uint64(0xD1342543DE82EF95)


@kernel
def hash_shingles(data, begin, end, folding, ngram, shingles):
    """Writes the hash of each run of `ngram` words of `data[begin:end]` in order; returns their number.

    Fewer words than `ngram` make one shingle, no words none. `shingles` (uint64) has one entry a byte.
    """
    words = _hash_words(data, begin, end, folding, shingles)
    if words == 0:
        return 0
    size = min(ngram, words)
    # The hash of a run is the polynomial of its word hashes in _BASE, so it rolls from one run to the next.
    oldest_power = np.uint64(1)
    for _ in range(size):
        oldest_power *= _BASE
    window = np.uint64(0)
    for index in range(size - 1):
        window = window * _BASE + shingles[index]
    oldest = np.uint64(0)
    for index in range(size - 1, words):
        window = window * _BASE + shingles[index] - oldest * oldest_power
        oldest = shingles[index - size + 1]
        shingles[index - size + 1] = mix(window)
    return words - size + 1


@kernel
def _hash_words(data, begin, end, folding, hashes):
    """Writes the hash of each folded word of `data[begin:end]`; returns their number."""
    count = 0
    state = np.uint64(0)
    at = begin
    while at < end:
        lead = data[at]
        point = folding[lead] if lead < 0x80 else folding[decode(data, at, end)]
        at = at + 1 if lead < 0x80 else step(data, at, end)
        if point == DROPPED:
            continue
        alone = point & IDEOGRAPH
        if (point == SEPARATOR or alone) and state:
            hashes[count] = mix(state)
            count += 1
            state = np.uint64(0)
        if alone:
            hashes[count] = mix(np.uint64(point))
            count += 1
        elif point != SEPARATOR:
            state = combine(state, np.uint64(point))
    if state:
        hashes[count] = mix(state)
        count += 1
    return count

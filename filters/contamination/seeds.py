"""Hits: where the sequences of an index stand in a document, found by their seeds."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.contamination.align import ROWS, align
from filters.contamination.index import (
    CODE_SEEDS,
    PLACE_BITS,
    SEQUENCE_BITS,
    TRIPLE,
    WORD_SEEDS,
    find_seed,
    finished_key,
    first_place,
    is_new,
    may_be_seed,
    places_of,
    tells,
)
from filters.contamination.words import CHOSEN
from filters.text.hashing import combine
from filters.text.kernel import kernel

KEYS = 256
"""Seeds that are looked up at once."""
SIZES = max(len(WORD_SEEDS), len(CODE_SEEDS))
"""So many sizes of seeds there are at most."""
_PLACE_BITS = np.uint64(PLACE_BITS)
_UNIT_BITS = np.uint64(64 - SEQUENCE_BITS - PLACE_BITS)
"""Enough for a document of 2 GiB."""
_OF_TRIPLES, _OF_LONGER = 8, 12
"""One of so many seeds of a sequence must be found near the others; the same one again does not count. With a
fifth of its words changed a text keeps half of its runs of three words, and a third of those of five."""
_LEAST_FOUND = 0.3
"""The share of a sequence, by weight, under which nothing is said of it."""


@kernel
def find_seeds(units, sequences, keys, found):
    """Writes the seeds among units, a number each; returns how many, -1 if there is no room.

    The number: the sequence, the unit of the document, the place in the sequence. `keys`: uint64, of shape
    (sizes, KEYS) or larger.
    """
    has_names = _has_names(units)
    seeds = 0
    for begin in range(0, units.size, KEYS):
        end = min(begin + KEYS, units.size)
        _write_keys(units, begin, end, sequences.sizes, has_names, keys)
        for number in range(sequences.sizes.size):
            low, high = sequences.filter_bounds[number], sequences.filter_bounds[number + 1]
            _strike_unknown(sequences.filter, low, high, keys[number, : end - begin])
            _look_up(sequences.table, keys[number, : end - begin])
            for at in range(begin, end):
                key = keys[number, at - begin]
                if key and is_new(units["hash"], 0, at, sequences.sizes[number]):
                    seeds = _write_places(sequences, key, at, found, seeds)
                    if seeds < 0:
                        return -1
    return seeds


@kernel
def _has_names(units):
    """Whether any unit is a name that an author chose."""
    flags = 0
    for unit in units:
        flags |= unit.flags
    return flags & CHOSEN != 0


@kernel
def _write_keys(units, begin, end, sizes, has_names, keys):
    """The keys of the seeds of each size that begin from `begin` to `end`; 0 for those that tell nothing."""
    hashes, flags = units["hash"], units["flags"]
    for at in range(begin, end):
        state = np.uint64(0)
        size = 0
        for number in range(sizes.size):
            fits = at + sizes[number] <= units.size
            while fits and size < sizes[number]:
                state = combine(state, hashes[at + size])
                size += 1
            told = fits and (not has_names or tells(flags, at, sizes[number]))
            keys[number, at - begin] = finished_key(state, size) if told else np.uint64(0)


@kernel
def _strike_unknown(filter, low, high, keys):
    """Makes 0 of the keys that the filter does not know.

    Nothing else is done in this loop, so that the processor waits for many parts of the filter at once.
    """
    for index in range(keys.size):
        keys[index] *= may_be_seed(filter, low, high, keys[index])


@kernel
def _look_up(table, keys):
    """Makes 0 of the keys whose first place in the table is empty; a loop of its own for the same reason."""
    for index in range(keys.size):
        if keys[index]:
            keys[index] *= table[first_place(table, keys[index])] != 0


@kernel
def _write_places(sequences, key, at, found, seeds):
    """Adds the places of a seed in sequences; returns the new number of seeds, -1 if there is no room."""
    slot = find_seed(sequences.table, key)
    if sequences.table[slot] == 0:
        return seeds
    first, last = places_of(sequences.table[slot + 1])
    if seeds + last - first > found.size:
        return -1
    for posting in range(first, last):
        place = sequences.places[posting]
        seed = (place >> _PLACE_BITS) << (_UNIT_BITS + _PLACE_BITS) | np.uint64(at) << _PLACE_BITS
        found[seeds] = seed | place & ((np.uint64(1) << _PLACE_BITS) - np.uint64(1))
        seeds += 1
    return seeds


@kernel
def find_hits(units, seeds, sequences, room, hits):
    """Writes the hits (HIT) that sorted seeds lead to; returns how many, -1 if there is no room.

    Those of a sequence stand one behind another.
    """
    found = 0
    begin = 0
    while begin < seeds.size:
        sequence = sequence_of(seeds[begin])
        end = begin
        while end < seeds.size and sequence_of(seeds[end]) == sequence:
            end += 1
        size = sequences.first[sequence + 1] - sequences.first[sequence]
        seeds_of_it = sequences.seeds[sequence]
        of_seeds = _OF_TRIPLES if sequences.size[sequence] <= TRIPLE else _OF_LONGER
        needed = 1 + (seeds_of_it > 3) + seeds_of_it // of_seeds
        reach = size + size // 2 + 8
        at, floor = begin, 0
        while at < end:
            stop, places = at, 1
            while stop < end and _unit(seeds[stop]) - _unit(seeds[at]) <= reach:
                places += place_of(seeds[stop]) != place_of(seeds[at])
                stop += 1
            if places < needed:
                at += 1
                continue
            if found == hits.size:
                return -1
            low, high = _stretch(seeds, at, stop, size, units.size)
            hit = hits[found]
            align(units, max(low, floor), high, sequences, sequence, room, hit)
            if hit.matched >= _LEAST_FOUND * _weight(sequences, sequence):
                found += 1
                floor = hit.last
                while at < end and _unit(seeds[at]) < hit.last:
                    at += 1
            else:
                at = stop
        begin = end
    return found


@kernel
def _stretch(seeds, at, stop, size, count):
    """Where a whole sequence may stand, some of whose seeds are these."""
    slack = 4 + size // 8
    low, high = count, 0
    for index in range(at, stop):
        start = _unit(seeds[index]) - place_of(seeds[index])
        low, high = min(low, start), max(high, start + size)
    first, last = _unit(seeds[at]), _unit(seeds[stop - 1])
    low = max(low - slack, first - size - slack, 0)
    return low, min(high + slack, last + size + slack, count, low + ROWS)


@kernel
def _weight(sequences, sequence):
    total = np.float32(0)
    for at in range(sequences.first[sequence], sequences.first[sequence + 1]):
        total += sequences.weights[at]
    return total


@kernel
def sequence_of(seed):
    """The sequence of a seed."""
    return np.int64(seed >> (_UNIT_BITS + _PLACE_BITS))


@kernel
def _unit(seed):
    return np.int64((seed >> _PLACE_BITS) & ((np.uint64(1) << _UNIT_BITS) - np.uint64(1)))


@kernel
def place_of(seed):
    """The place of a seed in its sequence."""
    return np.int64(seed & ((np.uint64(1) << _PLACE_BITS) - np.uint64(1)))

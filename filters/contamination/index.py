"""The index of benchmarks: their items as sequences of units, and the seeds by which documents are found.

An item is one sequence for each of its texts; a long text is cut into several. A seed is a run of `SEED`
units: whoever has an item, edited or not, has some of its seeds, and almost no one else has the rare ones. Seeds
that many sequences share find nothing but each other; they are left out unless a sequence has no rarer ones.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.contamination.common_words import common_words
from filters.contamination.words import NUMBER, QUOTED, SENTENCE, UNIT, find_words, word_tables
from filters.text.hashing import combine, find_slot, mix, slots_for
from filters.text.kernel import driver, inline_kernel, kernel
from filters.text.texts import text_buffers

VERSION = 1

SEED, _PAIR = 3, 2
"""Units of a seed. Of nine words with two of them changed, three in a row are left."""
LONGEST = 256
"""Units of a sequence; what is longer is cut."""
MOST_SHARED = 64
"""Sequences that may share a seed."""
LONG_ANSWER = 12
"""Words from which on an answer is found by itself, not only behind its question."""

PASSAGE, QUESTION, CHOICE, ANSWER, LABEL, SOLUTION = range(6)
"""The field of a sequence."""
ASKS = 2
"""Flag of a unit in what the question asks: its last sentence, without what it quotes."""

_PRIOR_ITEMS = 100
_PRIOR_OF_COMMON = 30.0
"""Before any item is seen, so many of so many have a common word."""
_LEAST_WEIGHT = 0.05
_FILTER_BITS_A_KEY = 16


class Sequences(NamedTuple):
    """The sequences of all items by one kind of unit, those of an item together."""

    units: npt.NDArray[np.uint64]
    """Hashes."""
    weights: npt.NDArray[np.float32]
    """What each unit says of the item: about 1 for a rare one, 0.05 for the commonest."""
    flags: npt.NDArray[np.uint8]
    """NUMBER, ASKS."""
    first: npt.NDArray[np.int64]
    """Where each sequence begins in `units`; one more than there are sequences."""
    item: npt.NDArray[np.int32]
    field: npt.NDArray[np.uint8]
    of_item: npt.NDArray[np.int64]
    """Where the sequences of each item begin; one more than there are items."""
    seeds: npt.NDArray[np.int32]
    """How many seeds of each sequence are in the index."""
    filter: npt.NDArray[np.uint64]
    """A bit for each seed, by its upper bits: a quick test."""
    keys: npt.NDArray[np.uint64]
    """Hash table of seeds, 0 where empty."""
    postings: npt.NDArray[np.int64]
    """For each slot of `keys` where its places begin."""
    counts: npt.NDArray[np.int32]
    """And how many it has."""
    sequence: npt.NDArray[np.int32]
    place: npt.NDArray[np.int16]
    """The places of seeds: a sequence, and the unit in it."""
    pairs: bool
    """Whether there are sequences of two units: they are their own seeds."""


class Index(NamedTuple):
    """Benchmarks, ready to be compared with documents."""

    items: pa.Table
    """Columns of ITEMS that name an item: benchmark, item_id, split."""
    words: Sequences


class Texts(NamedTuple):
    """The texts of items."""

    item: npt.NDArray[np.int64]
    field: npt.NDArray[np.uint8]
    texts: pa.LargeStringArray


def build_index(items: pa.Table) -> Index:
    """The index of items (ITEMS)."""
    texts = _texts(items)
    return Index(
        items.select(["benchmark", "item_id", "split"]).combine_chunks(),
        _sequences(texts, items.num_rows),
    )


def _texts(items: pa.Table) -> Texts:
    """All texts, by item and field."""
    rows, fields, texts = [], [], []
    for field, name in enumerate(("passage", "question", "choices", "answer", "label", "solution")):
        column = items.column(name).combine_chunks()
        if field == CHOICE:
            item = pc.list_parent_indices(column)
            column = pc.list_flatten(column)
        else:
            item = pa.array(np.arange(items.num_rows))
        there = column.is_valid()
        texts.append(column.filter(there).cast(pa.large_string()))
        rows.append(item.filter(there).to_numpy().astype(np.int64))
        fields.append(np.full(len(rows[-1]), field, dtype=np.uint8))
    item, field = np.concatenate(rows), np.concatenate(fields)
    order = np.lexsort((field, item))
    return Texts(item[order], field[order], pa.concat_arrays(texts).take(pa.array(order)))


def _sequences(texts: Texts, items: int) -> Sequences:
    """The sequences of words, and their seeds."""
    buffers = text_buffers(texts.texts)
    units, bounds = _all_units(buffers.data, buffers.offsets, word_tables())
    flags = _flags(units["flags"], bounds, texts.field)
    # A text of many units is cut into equal pieces.
    sizes = np.diff(bounds)
    pieces = np.maximum(1, -(-sizes // LONGEST))
    text = np.repeat(np.arange(len(sizes)), pieces)
    number = np.arange(len(text)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = bounds[text] + number * sizes[text] // pieces[text]
    first = np.append(starts, bounds[-1]).astype(np.int64)
    item, field = texts.item[text].astype(np.int32), texts.field[text]
    weights = _weights(units["hash"], np.repeat(texts.item, sizes), items)
    of_item = np.searchsorted(item, np.arange(items + 1)).astype(np.int64)
    hashes = np.ascontiguousarray(units["hash"])
    return Sequences(hashes, weights, flags, first, item, field, of_item, *_seeds(hashes, weights, first, field))


@driver
def _all_units(data, offsets, tables):
    """The words of all texts end to end, and where those of each begin."""
    bounds = np.zeros(offsets.size, dtype=np.int64)
    points = np.empty(64, dtype=np.uint32)
    room = np.empty(1 << 16, dtype=UNIT)
    found = np.empty((offsets[-1] - offsets[0]) // 4 + 1024, dtype=UNIT)
    count = 0
    for text in range(offsets.size - 1):
        begin, end = offsets[text], offsets[text + 1]
        if end - begin > room.size:
            room = np.empty(2 * (end - begin), dtype=UNIT)
        size = find_words(data, begin, end, tables, points, room)
        if count + size > found.size:
            larger = np.empty(2 * (count + size), dtype=UNIT)
            larger[:count] = found[:count]
            found = larger
        found[count : count + size] = room[:size]
        count += size
        bounds[text + 1] = count
    return found[:count], bounds


@driver
def _flags(flags, bounds, fields):
    """NUMBER, and ASKS in questions."""
    kept = flags & np.uint8(NUMBER)
    for text in range(fields.size):
        if fields[text] != QUESTION:
            continue
        begin, end = bounds[text], bounds[text + 1]
        start = end - SEED
        while start > begin and not flags[start] & SENTENCE:
            start -= 1
        start = max(start, begin)
        asking = 0
        for at in range(start, end):
            asking += flags[at] & QUOTED == 0
        for at in range(start, end):
            if flags[at] & QUOTED == 0 or asking < SEED:
                kept[at] |= ASKS
    return kept


def _weights(units: Any, item: Any, items: int) -> npt.NDArray[np.float32]:
    """The inverse document frequency of each unit among the items, from 0.05 to 1."""
    prior = np.where(np.isin(units, common_words()), _PRIOR_OF_COMMON, 0.5)
    whole = np.log(items + _PRIOR_ITEMS)
    rarity = (whole - np.log(_document_frequency(units, item) + prior)) / whole
    weights: npt.NDArray[np.float32] = np.clip(rarity, _LEAST_WEIGHT, 1).astype(np.float32)
    return weights


@driver
def _document_frequency(units, item):
    """Of each unit the number of items that have it; units of an item stand together."""
    slots = slots_for(min(units.size, 1 << 40))
    keys = np.zeros(slots, dtype=np.uint64)
    last = np.full(slots, -1, dtype=np.int64)
    count = np.zeros(slots, dtype=np.int64)
    for at in range(units.size):
        slot = find_slot(keys, slots - 1, units[at])
        keys[slot] = units[at]
        count[slot] += last[slot] != item[at]
        last[slot] = item[at]
    found = np.empty(units.size, dtype=np.int64)
    for at in range(units.size):
        found[at] = count[find_slot(keys, slots - 1, units[at])]
    return found


@inline_kernel
def seed_key(units, at, size):
    """The key of the seed of `size` units from `at` on, never 0."""
    state = np.uint64(size)
    for index in range(size):
        state = combine(state, units[at + index])
    return mix(state) | np.uint64(1)


def _seeds(hashes: Any, weights: Any, first: Any, field: Any) -> tuple[Any, ...]:
    """The last eight fields of Sequences."""
    keys, sequence, place = _all_seeds(hashes, weights, first, field)
    order = np.argsort(keys, kind="stable")
    keys, sequence, place = keys[order], sequence[order], place[order]
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    shared = np.diff(np.append(begins, len(keys)))
    rare = np.repeat(shared <= MOST_SHARED, shared)
    found = np.bincount(sequence[rare], minlength=len(field))
    # Of a sequence without a rare seed all are kept, each as far as so many share it.
    rank = np.arange(len(keys)) - np.repeat(begins, shared)
    kept = rare | ((found[sequence] == 0) & (rank < MOST_SHARED))
    keys, sequence, place = keys[kept], sequence[kept], place[kept]
    seeds = np.bincount(sequence, minlength=len(field)).astype(np.int32)
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    counts = np.diff(np.append(begins, len(keys)))
    table, postings, places = _table(keys[begins], begins, counts)
    sizes = np.unique(np.diff(first)[seeds > 0])
    return (
        seeds,
        _filter(keys[begins]),
        table,
        postings,
        places,
        sequence,
        place,
        bool(np.isin(_PAIR, sizes)),
    )


@driver
def _all_seeds(hashes, weights, first, field):
    """The seeds of all sequences that are looked for: keys, sequences, places."""
    room = hashes.size + field.size
    keys = np.empty(room, dtype=np.uint64)
    sequences = np.empty(room, dtype=np.int32)
    places = np.empty(room, dtype=np.int16)
    count = 0
    for sequence in range(field.size):
        begin, end = first[sequence], first[sequence + 1]
        if not _is_sought(field[sequence], end - begin):
            continue
        size = min(SEED, end - begin)
        for at in range(begin, end - size + 1):
            keys[count] = seed_key(hashes, at, size)
            sequences[count] = sequence
            places[count] = at - begin
            count += 1
    return keys[:count], sequences[:count], places[:count]


@inline_kernel
def _is_sought(field, size):
    """Whether documents are searched for a text, not only the surroundings of another one of its item."""
    if field == ANSWER:
        return size >= LONG_ANSWER
    if field == QUESTION:
        return size >= _PAIR
    return (field != LABEL) & (size >= SEED)


@driver
def _table(keys, begins, counts):
    slots = slots_for(keys.size)
    table = np.zeros(slots, dtype=np.uint64)
    postings = np.zeros(slots, dtype=np.int64)
    places = np.zeros(slots, dtype=np.int32)
    for index in range(keys.size):
        slot = find_slot(table, slots - 1, keys[index])
        table[slot] = keys[index]
        postings[slot] = begins[index]
        places[slot] = counts[index]
    return table, postings, places


@driver
def _filter(keys):
    bits = 1 << 10
    while bits < _FILTER_BITS_A_KEY * keys.size:
        bits *= 2
    found = np.zeros(bits // 64, dtype=np.uint64)
    for key in keys:
        bit = filter_bit(key, bits)
        found[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
    return found


@inline_kernel
def filter_bit(key, bits):
    """The bit of a seed among `bits`, a power of two."""
    return np.int64(key >> np.uint64(20)) & (bits - 1)


@kernel
def may_be_seed(filter, key):
    """Whether a key is likely one of the index."""
    bit = filter_bit(key, filter.size * 64)
    return (filter[bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1)

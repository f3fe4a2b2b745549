"""The index of benchmarks: their items as sequences of units, and the seeds by which documents are found.

An item is one sequence for each of its texts; a long text is cut into several. A seed is a run of a few
units: whoever has an item, edited or not, has some of its seeds, and almost no one else has the rare ones.
Seeds that many sequences share find nothing but each other; they are left out unless a sequence has no rarer.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.contamination.code import code_tables, find_code, name_memory
from filters.contamination.common_words import common_words
from filters.contamination.words import CHOSEN, NUMBER, QUOTED, SENTENCE, UNIT, find_words, word_tables
from filters.text.hashing import combine, find_slot, mix, slots_for
from filters.text.kernel import driver, inline_kernel
from filters.text.texts import Buffers, replaced, text_buffers
from filters.text.values import value_hashes

VERSION = 1

PAIR, TRIPLE = 2, 3
WORD_SEEDS = ((PAIR, PAIR), (TRIPLE, TRIPLE), (16, 5))
"""From how many words on a sequence has seeds of how many. Of nine words with two of them changed, three in a
row are left; of sixteen with a fifth of them changed four runs of five, and few others have one by chance."""
CODE_SEEDS = ((4, 4),)
"""The same of code; at most half of a seed are names that the author chose."""
LONGEST = 256
"""Units of a sequence; what is longer is cut."""
PERIOD = 8
"""Units within which a seed that comes again is not another one: `ha ha ha` is one seed."""
SEQUENCE_BITS, PLACE_BITS = 25, 8
"""For the number of a sequence, and for a unit in one."""
MOST_SHARED = 8
"""Sequences that may share a seed."""
LONG_ANSWER = 12
"""Words from which on an answer is found by itself, not only behind its question."""

PASSAGE, QUESTION, CHOICE, ANSWER, LABEL, SOLUTION = range(6)
"""The field of a sequence."""
ASKS = 2
"""Flag of a unit in what the question asks: its last sentence, without what it quotes."""

_TELLING = 0.4
"""The least weight of the rarest unit of a seed: `it is a` finds everything."""
_ENOUGH_SEEDS = 32
"""Of a long sequence about so many seeds are kept."""
_PRIOR_ITEMS = 100
_PRIOR_OF_COMMON = 30.0
"""Before any item is seen, so many of so many have a common word."""
LEAST_WEIGHT = 0.05
_CODE_MARKS = 0.05
"""The share of brackets and the like among the characters of code."""
_FILTER_BITS_A_KEY = 16
_COUNT_BITS = np.uint64(8)
"""More than MOST_SHARED takes."""
_SIGNATURE = r"(?m)^\s*(def|function|class|public|static|fn|func)\s.*[({]"
"""A line that begins a function."""
_DOCSTRING = re.compile(r'("""|\'\'\')(.*?)\1', re.DOTALL)


Seeds = tuple[tuple[int, int], ...]


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
    """Two bits in one number for each seed: a quick test (Bloom 1970); those of one size together."""
    filter_bounds: npt.NDArray[np.int64]
    """Where the filters of the sizes begin; one more than there are sizes."""
    table: npt.NDArray[np.uint64]
    """Hash table of seeds, two numbers a slot: a key, 0 where empty; where its places begin, and how many."""
    places: npt.NDArray[np.uint64]
    """The places of seeds, a number each: the sequence, and the unit in it."""
    sizes: npt.NDArray[np.int64]
    """Of how many units there are seeds."""
    size: npt.NDArray[np.int64]
    """Of how many units the seeds of each sequence are."""


class Index(NamedTuple):
    """Benchmarks, ready to be compared with documents."""

    items: pa.Table
    """Columns of ITEMS that name an item: benchmark, item_id, split; and `same_as`, the row of the first item
    of the benchmark that says the same: that one is found."""
    words: Sequences
    code: Sequences


class Texts(NamedTuple):
    """The texts of items."""

    item: npt.NDArray[np.int64]
    field: npt.NDArray[np.uint8]
    texts: pa.LargeStringArray

    def where(self, chosen: npt.NDArray[np.bool_]) -> Texts:
        """Some of them."""
        return Texts(self.item[chosen], self.field[chosen], self.texts.filter(pa.array(chosen)))


def build_index(items: pa.Table) -> Index:
    """The index of items (ITEMS)."""
    texts = _texts(items)
    code = _is_code(texts, items.column("benchmark").combine_chunks())
    words, programs = _with_docstrings(texts.where(~code), texts.item[code]), texts.where(code)
    units, bounds = all_words(*read_only_buffers(words.texts), word_tables())
    code_units, code_bounds = _code_of(programs, items)
    same_as = _first_alike(items, words, units, bounds, programs)
    none = np.zeros(len(programs.item), dtype=bool)
    names = items.select(["benchmark", "item_id", "split"]).append_column("same_as", pa.array(same_as))
    return Index(
        names.combine_chunks(),
        _sequences(words, units, bounds, same_as, _Rarity.of_words, WORD_SEEDS, _is_prompt(words, programs)),
        _sequences(programs, code_units, code_bounds, same_as, _Rarity.of_code, CODE_SEEDS, none),
    )


def read_only_buffers(texts: pa.LargeStringArray) -> Buffers:
    """The buffers of texts, read-only even where there are none, so that kernels are compiled but once."""
    buffers = text_buffers(texts)
    for array in buffers:
        array.setflags(write=False)
    return buffers


def _texts(items: pa.Table) -> Texts:
    """All texts, by item and field."""
    rows, fields, texts = [], [], []
    for number, name in enumerate(("passage", "question", "choices", "answer", "label", "solution")):
        column = items.column(name).combine_chunks()
        if number == CHOICE:
            item = pc.list_parent_indices(column)
            column = pc.list_flatten(column)
        else:
            item = pa.array(np.arange(items.num_rows))
        there = column.is_valid()
        texts.append(column.filter(there).cast(pa.large_string()))
        rows.append(item.filter(there).to_numpy().astype(np.int64))
        fields.append(np.full(len(rows[-1]), number, dtype=np.uint8))
    item, field = np.concatenate(rows), np.concatenate(fields)
    order = np.lexsort((field, item))
    return Texts(item[order], field[order], pa.concat_arrays(texts).take(pa.array(order)))


def _is_code(texts: Texts, benchmark: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Whether a text is a program: a solution in a benchmark in which most solutions look like that."""
    found = texts.field == SOLUTION
    group = benchmark.take(pa.array(texts.item[found])).dictionary_encode().indices.to_numpy()
    looks = _looks_like_code(texts.texts.filter(pa.array(found)))
    share = np.bincount(group, looks) / np.maximum(np.bincount(group), 1)
    found[found] = share[group] >= 0.5
    is_code: npt.NDArray[np.bool_] = found
    return is_code


def _looks_like_code(texts: pa.LargeStringArray) -> npt.NDArray[np.bool_]:
    """Whether a text has the marks and a word of a programming language."""
    marks = pc.count_substring_regex(texts, r"[(){}\[\]:;_]").to_numpy().astype(float)
    letters = pc.count_substring_regex(texts, r"\S").to_numpy()
    formulas = pc.count_substring(texts, "\\").to_numpy()
    keyword = (
        r"\b(return|def|import|function|var|const|let|elif|print|class|lambda|yield|int|void|for|while|if)\b"
    )
    code = pc.match_substring_regex(texts, keyword).to_numpy(zero_copy_only=False)
    found: npt.NDArray[np.bool_] = code & (marks - 4 * formulas > _CODE_MARKS * letters)
    return found


def _code_of(programs: Texts, items: pa.Table) -> tuple[Any, Any]:
    """The units of programs, and where those of each begin: of questions that programs go on from, too."""
    question = items.column("question").combine_chunks().cast(pa.large_string()).fill_null("")
    before = question.take(pa.array(programs.item))
    goes_on = pc.match_substring_regex(before, _SIGNATURE)
    before = pc.if_else(goes_on, before, pa.scalar("", pa.large_string()))
    whole = pc.binary_join_element_wise(before, programs.texts, pa.scalar("\n", pa.large_string()))
    units, bounds = all_code(*read_only_buffers(whole), code_tables(), name_memory())
    return units, bounds


def _first_alike(
    items: pa.Table, words: Texts, units: Any, bounds: Any, programs: Texts
) -> npt.NDArray[np.int64]:
    """For each item the first of its benchmark with the same words and code, perhaps itself."""
    keys = _hash_texts(units["hash"], bounds, words.item, words.field, items.num_rows)
    for item, key in zip(programs.item, value_hashes(programs.texts), strict=True):
        keys[item] ^= key
    keys ^= value_hashes(items.column("benchmark").combine_chunks())
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    alike: npt.NDArray[np.int64] = first[place]
    return alike


@driver
def _hash_texts(hashes, bounds, item, field, items):
    keys = np.zeros(items, dtype=np.uint64)
    for text in range(item.size):
        state = np.uint64(field[text])
        for at in range(bounds[text], bounds[text + 1]):
            state = combine(state, hashes[at])
        keys[item[text]] = mix(combine(keys[item[text]], state))
    return keys


def _with_docstrings(words: Texts, with_program: npt.NDArray[np.int64]) -> Texts:
    """The texts; of a question that begins a program only the docstring, with which others ask the same."""
    rows, docstrings = [], []
    for row in np.flatnonzero((words.field == QUESTION) & np.isin(words.item, with_program)):
        docstring = _DOCSTRING.search(words.texts[row].as_py())
        if docstring is not None and docstring[2].strip():
            rows.append(row)
            docstrings.append(docstring[2])
    return words._replace(texts=replaced(words.texts, np.array(rows, np.int64), docstrings))


def _is_prompt(words: Texts, programs: Texts) -> npt.NDArray[np.bool_]:
    """Which texts are questions that a program answers: they may be the beginning of a program."""
    prompts: npt.NDArray[np.bool_] = (words.field == QUESTION) & np.isin(words.item, programs.item)
    return prompts


def _sequences(
    texts: Texts,
    units: Any,
    bounds: Any,
    same_as: Any,
    weigh: Callable[[_Rarity], Any],
    seeds: Seeds,
    prompts: Any,
) -> Sequences:
    """The sequences of texts, and their seeds."""
    items = len(same_as)
    hashes, unit_flags = (np.ascontiguousarray(units[name]) for name in ("hash", "flags"))
    flags = _flags(unit_flags, bounds, texts.field, prompts)
    # A text of many units is cut into equal pieces.
    lengths = np.diff(bounds)
    pieces = np.maximum(1, -(-lengths // LONGEST))
    text = np.repeat(np.arange(len(lengths)), pieces)
    number = np.arange(len(text)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = bounds[text] + number * lengths[text] // pieces[text]
    first = np.append(starts, bounds[-1]).astype(np.int64)
    item, field = texts.item[text].astype(np.int32), texts.field[text]
    if len(item) > 1 << SEQUENCE_BITS:
        raise ValueError(f"Benchmarks have {len(item)} texts; at most {1 << SEQUENCE_BITS} fit an index.")
    original = same_as[texts.item] == texts.item
    rarity = _Rarity(hashes, bounds, texts.item, original, items)
    weights = weigh(rarity)
    of_item = np.searchsorted(item, np.arange(items + 1)).astype(np.int64)
    size = _seed_sizes(field, np.diff(first), original[text], seeds)
    values = (hashes, weights, flags, first, item, field, of_item)
    sought = _seeds(hashes, unit_flags, weights, first, size)
    found = Sequences._make((*values, *sought, np.unique(size[size > 0]), size))
    for array in found:
        array.setflags(write=False)  # as they are when they come from a file
    return found


@driver
def all_words(data, offsets, tables):
    """The words of all texts end to end, and where those of each begin."""
    bounds = np.zeros(offsets.size, dtype=np.int64)
    points = np.empty(64, dtype=np.uint32)
    room = np.empty(1 << 16, dtype=UNIT)
    found = np.empty((offsets[-1] - offsets[0]) // 4 + 1024, dtype=UNIT)
    for text in range(offsets.size - 1):
        begin, end = offsets[text], offsets[text + 1]
        if end - begin > room.size:
            room = np.empty(2 * (end - begin), dtype=UNIT)
        size = find_words(data, begin, end, tables, points, room)
        found = _appended(found, bounds[text], room[:size])
        bounds[text + 1] = bounds[text] + size
    return found[: bounds[-1]], bounds


@driver
def all_code(data, offsets, tables, memory):
    """The same of code."""
    bounds = np.zeros(offsets.size, dtype=np.int64)
    room = np.empty(1 << 16, dtype=UNIT)
    found = np.empty((offsets[-1] - offsets[0]) // 4 + 1024, dtype=UNIT)
    for text in range(offsets.size - 1):
        begin, end = offsets[text], offsets[text + 1]
        if end - begin > room.size:
            room = np.empty(2 * (end - begin), dtype=UNIT)
        size = find_code(data, begin, end, begin, tables, memory, room)
        found = _appended(found, bounds[text], room[:size])
        bounds[text + 1] = bounds[text] + size
    return found[: bounds[-1]], bounds


@driver
def _appended(found, count, new):
    """Writes units behind the first `count`, into a larger array where they need one."""
    if count + new.size > found.size:
        larger = np.empty(2 * (count + new.size), dtype=UNIT)
        larger[:count] = found[:count]
        found = larger
    found[count : count + new.size] = new
    return found


@driver
def _flags(flags, bounds, fields, prompts):
    """NUMBER, and ASKS in questions but those that are programs."""
    kept = flags & np.uint8(NUMBER)
    for text in range(fields.size):
        if fields[text] != QUESTION or prompts[text]:
            continue
        begin, end = bounds[text], bounds[text + 1]
        start = end - TRIPLE
        while start > begin and not flags[start] & SENTENCE:
            start -= 1
        start = max(start, begin)
        asking = 0
        for at in range(start, end):
            asking += flags[at] & QUOTED == 0
        for at in range(start, end):
            if flags[at] & QUOTED == 0 or asking < TRIPLE:
                kept[at] |= ASKS
    return kept


class _Rarity(NamedTuple):
    """How rare units are among the items, and the runs in which they stand."""

    hashes: Any
    bounds: Any
    item: Any
    original: Any
    items: int

    def of_words(self) -> npt.NDArray[np.float32]:
        """The inverse document frequency of each word, by the square root of how many items have its runs.

        So what a series of items shares says little of each.
        """
        common = np.isin(self.hashes, common_words())
        weights = self._inverse_frequency(1, np.where(common, _PRIOR_OF_COMMON, 0.5))
        runs = 1 / np.sqrt(np.maximum(self._frequency(TRIPLE), 1))
        return self._bounded(weights * _mean_of_runs(runs, self.bounds, TRIPLE))

    def of_code(self) -> npt.NDArray[np.float32]:
        """The mean inverse document frequency of a unit and of the runs of two and three in which it stands.

        What a program says is less in its units, most of which are in all programs, than in their order.
        """
        of_runs = [_mean_of_runs(self._inverse_frequency(size, 0.5), self.bounds, size) for size in (1, 2, 3)]
        return self._bounded(np.mean(of_runs, axis=0))

    def _inverse_frequency(self, size: int, prior: Any) -> Any:
        """As a share of the greatest."""
        whole = np.log(self.items + _PRIOR_ITEMS)
        return (whole - np.log(self._frequency(size) + prior)) / whole

    def _frequency(self, size: int) -> Any:
        return _document_frequency(self.hashes, self.bounds, self.item, self.original, size)

    def _bounded(self, weights: Any) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = np.clip(weights, LEAST_WEIGHT, 1).astype(np.float32)
        return found


@driver
def _document_frequency(hashes, bounds, item, original, size):
    """For the run of `size` units from each on: how many items have it. Texts of an item stand together."""
    slots = slots_for(hashes.size)
    keys = np.zeros(slots, dtype=np.uint64)
    last = np.full(slots, -1, dtype=np.int64)
    count = np.zeros(slots, dtype=np.int64)
    for text in range(item.size):
        for at in range(bounds[text], bounds[text + 1] - size + 1 if original[text] else 0):
            key = seed_key(hashes, at, size)
            slot = find_slot(keys, slots - 1, key)
            keys[slot] = key
            count[slot] += last[slot] != item[text]
            last[slot] = item[text]
    found = np.ones(hashes.size, dtype=np.int64)
    for text in range(item.size):
        for at in range(bounds[text], bounds[text + 1] - size + 1):
            found[at] = count[find_slot(keys, slots - 1, seed_key(hashes, at, size))]
    return found


@driver
def _mean_of_runs(values, bounds, size):
    """For each unit the mean value of the runs that contain it; 1 in texts that are too short."""
    means = np.ones(values.size)
    for text in range(bounds.size - 1):
        begin, end = bounds[text], bounds[text + 1]
        for at in range(begin, end if end - begin >= size else begin):
            total = 0.0
            low, high = max(begin, at - size + 1), min(at, end - size)
            for run in range(low, high + 1):
                total += values[run]
            means[at] = total / (high - low + 1)
    return means


@inline_kernel
def seed_key(units, at, size):
    """The key of the seed of `size` units from `at` on, never 0."""
    state = np.uint64(0)
    for index in range(size):
        state = combine(state, units[at + index])
    return finished_key(state, size)


@inline_kernel
def finished_key(state, size):
    """The key of a seed whose units have been combined."""
    return mix(state + np.uint64(size)) | np.uint64(1)


@inline_kernel
def tells(flags, at, size):
    """Whether at most half of a run are names that an author chose: what all have in common says nothing."""
    chosen = 0
    for index in range(size):
        chosen += (flags[at + index] & CHOSEN) != 0
    return 2 * chosen <= size


@inline_kernel
def is_new(hashes, begin, at, size):
    """Whether no seed of `size` units like the one at `at` stands among the PERIOD before it."""
    for back in range(1, min(PERIOD, at - begin) + 1):
        same = 0
        while same < size and hashes[at + same] == hashes[at - back + same]:
            same += 1
        if same == size:
            return False
    return True


def _seed_sizes(field: Any, length: Any, sought: Any, seeds: Seeds) -> npt.NDArray[np.int64]:
    """Of how many units the seeds of each sequence are; 0 of those that are looked for only around others."""
    size = np.zeros(len(field), dtype=np.int64)
    for least, units in seeds:
        size[length >= least] = units
    alone = np.select(
        [field == ANSWER, field == QUESTION, field == LABEL],
        [length >= LONG_ANSWER, True, False],
        default=length >= TRIPLE,
    )
    size[~(sought & alone)] = 0
    return size


def _seeds(hashes: Any, flags: Any, weights: Any, first: Any, size: Any) -> tuple[Any, ...]:
    """The fields of Sequences from `seeds` to `places`."""
    keys, sequence, place, telling = _all_seeds(hashes, flags, weights, first, size)
    order = np.argsort(keys, kind="stable")
    keys, sequence, place = keys[order], sequence[order], place[order]
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    shared = np.diff(np.append(begins, len(keys)))
    rare = np.repeat(shared <= MOST_SHARED, shared) & telling[order]
    found = np.bincount(sequence[rare], minlength=len(size))
    # Of a sequence without a rare seed all are kept, each as far as so many share it.
    rank = np.arange(len(keys)) - np.repeat(begins, shared)
    kept = rare | ((found[sequence] == 0) & (rank < MOST_SHARED))
    keys, sequence, place = keys[kept], sequence[kept], place[kept]
    seeds = np.bincount(sequence, minlength=len(size)).astype(np.int32)
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    counts = np.diff(np.append(begins, len(keys)))
    return (
        seeds,
        *_filters(keys[begins], size[sequence[begins]], np.unique(size[size > 0])),
        _table(keys[begins], begins.astype(np.uint64) << _COUNT_BITS | counts.astype(np.uint64)),
        sequence.astype(np.uint64) << np.uint64(PLACE_BITS) | place.astype(np.uint64),
    )


@driver
def _all_seeds(hashes, flags, weights, first, sizes):
    """The seeds of all sequences that are looked for: keys, sequences, places, and which tell much."""
    room = hashes.size + sizes.size
    keys = np.empty(room, dtype=np.uint64)
    sequences = np.empty(room, dtype=np.int32)
    places = np.empty(room, dtype=np.int16)
    telling = np.empty(room, dtype=np.bool_)
    count = 0
    for sequence in range(sizes.size):
        begin, end, size = first[sequence], first[sequence + 1], sizes[sequence]
        of_many = np.uint64(max(1, (end - begin) // _ENOUGH_SEEDS))
        for at in range(begin, end - size + 1 if size else begin):
            if not tells(flags, at, size) or not is_new(hashes, begin, at, size):
                continue
            keys[count] = seed_key(hashes, at, size)
            sequences[count] = sequence
            places[count] = at - begin
            heaviest = weights[at : at + size].max()
            telling[count] = heaviest >= _TELLING and keys[count] % of_many == 0
            count += 1
    return keys[:count], sequences[:count], places[:count], telling[:count]


@driver
def _table(keys, values):
    slots = slots_for(keys.size)
    table = np.zeros(2 * slots, dtype=np.uint64)
    for index in range(keys.size):
        slot = find_seed(table, keys[index])
        table[slot] = keys[index]
        table[slot + 1] = values[index]
    return table


@inline_kernel
def find_seed(table, key):
    """Where a key stands in a table of seeds, or the empty place where it belongs."""
    mask = table.size - 1
    slot = first_place(table, key)
    while (table[slot] != 0) & (table[slot] != key):
        slot = (slot + 2) & mask
    return slot


@inline_kernel
def first_place(table, key):
    """Where a key is looked for first."""
    return np.int64(key << np.uint64(1)) & (table.size - 1)


@inline_kernel
def places_of(value):
    """Where the places of a seed begin, and where they end."""
    first = np.int64(value >> _COUNT_BITS)
    return first, first + np.int64(value & ((np.uint64(1) << _COUNT_BITS) - np.uint64(1)))


def _filters(keys: Any, size: Any, sizes: Any) -> tuple[Any, Any]:
    """A filter for the seeds of each size, end to end, and where each begins."""
    filters = [_filter(keys[size == one]) for one in sizes]
    bounds = np.cumsum([0, *map(len, filters)]).astype(np.int64)
    return np.concatenate([np.empty(0, np.uint64), *filters]), bounds


@driver
def _filter(keys):
    bits = 1 << 10
    while bits < _FILTER_BITS_A_KEY * keys.size:
        bits *= 2
    found = np.zeros(bits // 64, dtype=np.uint64)
    for key in keys:
        found[_filter_place(key, found.size)] |= _filter_bits(key)
    return found


@inline_kernel
def _filter_place(key, size):
    """Which of `size` numbers of a filter, a power of two, holds the bits of a seed."""
    return np.int64(key >> np.uint64(20)) & (size - 1)


@inline_kernel
def _filter_bits(key):
    """Two bits of 64."""
    one = np.uint64(1) << ((key >> np.uint64(8)) & np.uint64(63))
    return one | np.uint64(1) << ((key >> np.uint64(14)) & np.uint64(63))


@inline_kernel
def may_be_seed(filter, begin, end, key):
    """Whether a key is likely one of the index, by the filter `filter[begin:end]` of its size."""
    bits = _filter_bits(key)
    return filter[begin + _filter_place(key, end - begin)] & bits == bits

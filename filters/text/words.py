"""What a word is. Two definitions, by name.

`unicode`: punctuation splits off, contractions split up. A run of characters without white space is taken
apart by the rules of spaCy's English tokenizer, which datatrove counts words with: exceptions first, then
prefixes and suffixes stripped one at a time, then addresses kept whole, then infixes (`spacy/tokenizer.pyx`,
`_split_affixes` and `_attach_tokens`). Each rule is a test on the characters around one position, so the time
is linear.

`whitespace`: a run without white space is a word, as in the Gopher paper.

A word is written as its byte range, relative to the start of the document, and its hash. No word contains
white space and none is empty: there are at most as many words as bytes. Most runs are letters alone, and most
others were met before: how they were taken apart is remembered.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from filters.text.addresses import is_address
from filters.text.characters import (
    ALPHA,
    BEFORE_STOP,
    CURRENCY,
    EDGE,
    EXCEPTION_START,
    ICON,
    LETTER,
    LOWER,
    PREFIX,
    PUNCTUATION,
    QUOTE,
    SPACE,
    SYMBOL,
    TERMINAL,
    UPPER,
    ascii_letters_end,
    character_classes,
    character_starts,
    class_at,
    class_before,
    decode,
    step,
    step_back,
    width,
)
from filters.text.hashing import find_slot, hash_bytes
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_within, count_ones, low_bits, trailing_zeros
from filters.text.word_exceptions import exceptions

WordDefinition = Literal["unicode", "whitespace"]
WORD_DEFINITIONS: tuple[WordDefinition, ...] = get_args(WordDefinition)

_UNITS = (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h "
    "kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм "
    "мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб US$ C$ A$"
).split()
_LONGEST_UNIT = max(len(unit.encode()) for unit in _UNITS)
_SLOTS = 4096
_MARKED = 3
_REMEMBERED = 1 << 13
"""Runs that are remembered."""
_PLACES = 6
"""Entries of a remembered run: its hash and number of words, then the words."""


WORD = np.dtype(
    [
        ("hash", np.uint64),  # of its bytes, never 0
        ("start", np.int32),  # first byte, from the start of the document
        ("end", np.int32),  # byte behind the last
        ("length", np.int32),  # characters
        ("kind", np.int32),  # IS_WORD | HAS_LETTER | IS_PUNCTUATION | IS_TERMINAL
    ]
)
IS_WORD = 1
"""Kind of a word with a character that is no symbol."""
HAS_LETTER = 2
"""Kind of a word with a letter."""
IS_PUNCTUATION = 4
"""Kind of a word of punctuation alone."""
IS_TERMINAL = 8
"""Kind of a word that is one character, a terminal mark."""


class WordTables(NamedTuple):
    """What the kernels look up."""

    classes: np.ndarray
    """Class bits of each code point: uint32."""
    exceptions: np.ndarray
    """Open-addressing hash table: the hash of an exception, 0 where empty: uint64."""
    pieces: np.ndarray
    """uint8, (slots, 4): bytes of an exception's pieces; whether it has more than letters and digits."""
    filter: np.ndarray
    """One bit for each hash modulo 2**16, set where an exception has it: uint64, (1024,)."""
    longest: int
    """Bytes of the longest exception."""
    units: np.ndarray
    """Sorted hashes of the units of measure: uint64."""


@lru_cache(maxsize=1)
def word_tables() -> WordTables:
    """The tables, built once."""
    table = np.zeros(_SLOTS, dtype=np.uint64)
    sizes = np.zeros((_SLOTS, 4), dtype=np.uint8)
    for word, pieces in exceptions().items():
        slot = find_slot(table, _SLOTS - 1, _hash(word))
        table[slot] = _hash(word)
        sizes[slot, : len(pieces)] = [len(piece.encode()) for piece in pieces]
        sizes[slot, _MARKED] = not word.isalnum()
    bits = np.zeros(1024, dtype=np.uint64)
    for key in (int(_hash(word)) for word in exceptions()):
        bits[(key >> 6) % 1024] |= np.uint64(1 << key % 64)
    longest = max(len(word.encode()) for word in exceptions())
    units = np.sort(np.array([_hash(unit) for unit in _UNITS], dtype=np.uint64))
    return WordTables(character_classes(), table, sizes, bits, longest, units)


def _hash(word: str) -> np.uint64:
    data = np.frombuffer(word.encode(), dtype=np.uint8)
    return np.uint64(hash_bytes(data, 0, len(data)))


class WordSpace(NamedTuple):
    """Room that `find_words` uses for one batch of documents after another, by one definition of a word."""

    words: np.ndarray
    """The words of a batch: `WORD`, one a byte."""
    memory: np.ndarray
    """How runs were taken apart before: `WORD`."""


def word_space(size: int) -> WordSpace:
    """Room for batches of up to `size` bytes."""
    return WordSpace(np.empty(size, dtype=WORD), np.zeros(_REMEMBERED * _PLACES, dtype=WORD))


_plain_letters = bytes_within((ord("A"), ord("Z")), (ord("a"), ord("z")), (0x80, 0xBF), (0xD0, 0xD1))
"""Bytes of the Latin letters of ASCII and the Cyrillic ones from U+0400 to U+047F."""
_spaces = bytes_within((9, 13), (28, 32))
_rarer_space_starts = bytes_within((0xC2, 0xC2), (0xE1, 0xE3))
"""Bytes that the white space outside ASCII starts with."""


@kernel
def find_words(data, starts, ends, tables, whitespace, words, memory, first):
    """Writes the words of each document by the definition `whitespace`, or else `unicode`, end to end.

    `first` (int64, one more than there are documents) becomes where in `words` those of each document begin.
    White space is one bit a byte, for 64 bytes at once; runs start and end where neighbouring bits differ.
    """
    first[0] = count = 0
    for document in range(starts.size):
        begin, end = starts[document], ends[document]
        start = -1
        before = np.uint64(1)
        spilled = np.uint64(0)
        for block in range(begin, end + 1, WIDTH):
            spaces, spilled = _space_bits(data, block, end, tables.classes, spilled)
            edges = spaces ^ (spaces << np.uint64(1) | before)
            before = spaces >> np.uint64(WIDTH - 1)
            while edges:
                at = block + trailing_zeros(edges)
                edges &= edges - np.uint64(1)
                if start < 0:
                    start = at
                else:
                    count = _write_run(data, start, at, tables, memory, whitespace, begin, words, count)
                    start = -1
        first[document + 1] = count


@inline_kernel
def _space_bits(data, at, end, classes, spilled):
    """Which of the 64 bytes from `at` on are white space or behind the end; and the next ones known."""
    if at + WIDTH > data.size:
        return _space_bits_at_the_end(data, at, end, classes, spilled)
    spaces = _spaces(data, at) | ~low_bits(end - at) | spilled
    spilled = np.uint64(0)
    candidates = _rarer_space_starts(data, at) & ~spaces
    while candidates:
        bit = trailing_zeros(candidates)
        candidates &= candidates - np.uint64(1)
        if class_at(data, at + bit, end, classes) & SPACE:
            size = step(data, at + bit, end) - at - bit
            spaces |= low_bits(size) << np.uint64(bit)
            spilled = low_bits(max(bit + size - WIDTH, 0))
    return spaces, spilled


@kernel
def _space_bits_at_the_end(data, at, end, classes, spilled):
    """The same where `data` has fewer than 64 bytes left."""
    spaces = ~low_bits(end - at) | spilled
    position = at
    while position < end:
        after = step(data, position, end)
        if class_at(data, position, end, classes) & SPACE:
            spaces |= low_bits(after - position) << np.uint64(position - at)
        position = after
    return spaces, np.uint64(0)


@inline_kernel
def _write_run(data, start, end, tables, memory, whitespace, base, words, count):
    """Writes the words of the run `data[start:end]`: a word of letters alone at once, others from memory."""
    key = hash_bytes(data, start, end)
    if start + WIDTH <= data.size and end - start <= WIDTH and not _may_be_exception(key, tables):
        bits = low_bits(end - start)
        if not ~_plain_letters(data, start) & bits:
            length = count_ones(character_starts(data, start) & bits)
            return _put(words, count, key, start - base, end - base, length, IS_WORD | HAS_LETTER)
    recalled = _recall(memory, key, start - base, words, count)
    if recalled >= 0:
        return recalled
    after = _take_apart(data, start, end, key, tables, whitespace, base, words, count)
    _remember(memory, key, start - base, words, count, after)
    return after


@inline_kernel
def _recall(memory, key, start, words, count):
    """Writes the words of a run taken apart before; returns the new number of words, -1 if it is new."""
    place = np.int64(key % np.uint64(_REMEMBERED)) * _PLACES
    if memory[place].hash != key:
        return -1
    for index in range(memory[place].length):
        word = words[count + index]
        known = memory[place + 1 + index]
        word.hash = known.hash
        word.start = start + known.start
        word.end = start + known.end
        word.length = known.length
        word.kind = known.kind
    return count + memory[place].length


@inline_kernel
def _remember(memory, key, start, words, first, count):
    """Keeps the words that the run at `start` was taken apart into, unless they are too many."""
    if count - first < _PLACES:
        place = np.int64(key % np.uint64(_REMEMBERED)) * _PLACES
        memory[place].hash = key
        memory[place].length = count - first
        for index in range(count - first):
            known = memory[place + 1 + index]
            word = words[first + index]
            known.hash = word.hash
            known.start = word.start - start
            known.end = word.end - start
            known.length = word.length
            known.kind = word.kind


@inline_kernel
def _take_apart(data, start, end, key, tables, whitespace, base, words, count):
    """Writes the words of the run `data[start:end]`."""
    if whitespace:
        return _write(data, start, end, tables.classes, base, words, count)
    slot = _find_hash(key, tables)
    if slot >= 0:
        return _write_pieces(data, start, slot, tables, base, words, count)
    first = count
    split = _letters_before_mark(data, start, end, tables)
    if split > start:
        count = _write(data, start, split, tables.classes, base, words, count)
        count = _write(data, split, end, tables.classes, base, words, count)
    else:
        count = _split_run(data, start, end, tables, base, words, count)
    return _rejoin(data, tables, base, words, first, count) if count > first + 1 else count


@inline_kernel
def _letters_before_mark(data, start, end, tables):
    """Where the mark in `data[start:end]` is, if it is letters and one mark that splits off; else `start`."""
    split = _plain_letters_end(data, start, end)
    if split in (start, end) or step(data, split, end) != end:
        return start
    if _find_exception(data, start, split, tables) >= 0:
        return start
    classes = tables.classes
    if data[split] == ord("."):
        return split if class_before(data, split, start, classes) & LOWER else start
    return split if classes[decode(data, split, end)] & EDGE else start


@inline_kernel
def _plain_letters_end(data, at, end):
    """The first byte in `data[at:end]` that is of no plain letter; `at` where 64 bytes cannot be read."""
    if at + WIDTH > data.size:
        return at
    return min(at + trailing_zeros(~_plain_letters(data, at)), end)


@inline_kernel
def _put(words, count, key, start, end, length, kind):
    """Writes one word; returns the new number of words."""
    word = words[count]
    word.hash = key
    word.start = start
    word.end = end
    word.length = length
    word.kind = kind
    return count + 1


@kernel
def _write(data, start, stop, classes, base, words, count):
    """Writes the word `data[start:stop]`; returns the new number of words."""
    at = ascii_letters_end(data, start, stop)
    length = at - start
    kind = IS_WORD | HAS_LETTER if length else IS_PUNCTUATION
    terminal = False
    while at < stop:
        character = classes[decode(data, at, stop)]
        kind |= (character & SYMBOL == 0) | (character & LETTER != 0) * HAS_LETTER
        if not character & PUNCTUATION:
            kind &= ~IS_PUNCTUATION
        terminal = character & TERMINAL != 0
        length += 1
        at = step(data, at, stop)
    if terminal and length == 1:
        kind |= IS_TERMINAL
    return _put(words, count, hash_bytes(data, start, stop), start - base, stop - base, length, kind)


@kernel
def _write_pieces(data, start, slot, tables, base, words, count):
    """Writes the pieces of an exception; returns the new number of words."""
    for piece in range(3):
        size = np.int64(tables.pieces[slot, piece])
        if size:
            count = _write(data, start, start + size, tables.classes, base, words, count)
            start += size
    return count


@inline_kernel
def _find_hash(key, tables):
    """The slot of the exception with this hash, or -1."""
    if not _may_be_exception(key, tables):
        return -1
    exceptions = tables.exceptions
    slot = find_slot(exceptions, _SLOTS - 1, key)
    return slot if exceptions[slot] else -1


@inline_kernel
def _may_be_exception(key, tables):
    """Whether a run with this hash may be an exception."""
    bits = tables.filter[np.int64((key >> np.uint64(6)) & np.uint64(1023))]
    return (bits >> (key & np.uint64(63))) & np.uint64(1) != 0


@inline_kernel
def _find_exception(data, begin, end, tables):
    """The slot of the exception `data[begin:end]`, or -1."""
    if end <= begin or end - begin > tables.longest:
        return -1
    return _find_hash(hash_bytes(data, begin, end), tables)


@inline_kernel
def _split_run(data, begin, end, tables, base, words, count):
    """Takes apart the run `data[begin:end]`, which is no exception; returns the new number of words.

    Suffixes come off from the outside in. They wait at the far end of `words`, which no run can reach before
    them.
    """
    low, high = begin, end
    waiting = 0
    slot = -1
    room = count + end - begin
    while low < high:
        if _is_plain(data, low, high):
            slot = _find_exception(data, low, high, tables)
            break
        prefix = _prefix(data, low, high, tables.classes)
        suffix = _suffix(data, low + prefix, high, tables)
        if not prefix and not suffix:
            break
        if prefix:
            slot = _find_exception(data, low + prefix, high, tables)
            if slot >= 0:
                count = _write(data, low, low + prefix, tables.classes, base, words, count)
                low += prefix
                break
        if suffix:
            waiting += 1
            _write(data, high - suffix, high, tables.classes, base, words, room - waiting)
            high -= suffix
            slot = _find_exception(data, low, high, tables)
            if slot >= 0:
                break
        if prefix:
            count = _write(data, low, low + prefix, tables.classes, base, words, count)
            low += prefix
        slot = _find_exception(data, low, high, tables)
        if slot >= 0:
            break
    if slot >= 0:
        count = _write_pieces(data, low, slot, tables, base, words, count)
    elif low < high:
        count = _split_middle(data, low, high, tables, base, words, count)
    for index in range(room - waiting, room):
        words[count] = words[index]
        count += 1
    return count


@inline_kernel
def _is_plain(data, begin, end):
    """Whether `data[begin:end]` is ASCII letters or ASCII digits alone, which no affix rule splits."""
    at = begin
    while at < end and _is_digit(data, at, begin, end):
        at += 1
    return at == end or (at == begin and ascii_letters_end(data, begin, end) == end)


@kernel
def _split_middle(data, begin, end, tables, base, words, count):
    """Splits at infixes what is left between the affixes and is no exception, unless it is an address."""
    if _is_plain(data, begin, end) or is_address(data, begin, end, tables.classes):
        return _write(data, begin, end, tables.classes, base, words, count)
    piece = at = begin
    while at < end:
        at = ascii_letters_end(data, at, end)
        size = _infix(data, begin, at, end, tables.classes) if at < end else 0
        if size == 0:
            at = step(data, at, end) if at < end else end
            continue
        if at > begin:
            if at > piece:
                count = _write(data, piece, at, tables.classes, base, words, count)
            count = _write(data, at, at + size, tables.classes, base, words, count)
            piece = at + size
        at += size
    if piece < end:
        count = _write(data, piece, end, tables.classes, base, words, count)
    return count


@inline_kernel
def _rejoin(data, tables, base, words, first, count):
    """Joins neighbours in a run that together are an exception: `)` and `:` are `):`; returns their number.

    An exception has no more pieces than the affix rules make of it, so it fits where they were.
    """
    kept = index = first
    while index < count:
        start = base + words[index].start
        last = index
        slot = -1
        if class_at(data, start, data.size, tables.classes) & EXCEPTION_START:
            last = min(index + 4, count - 1)
            while last > index:
                slot = _find_exception(data, start, base + words[last].end, tables)
                if slot >= 0 and tables.pieces[slot, _MARKED]:
                    break
                slot = -1
                last -= 1
        if slot >= 0:
            kept = _write_pieces(data, start, slot, tables, base, words, kept)
        else:
            words[kept] = words[index]
            kept += 1
        index = last + 1
    return kept


@inline_kernel
def _is_digit(data, at, begin, end):
    return begin <= at < end and 48 <= data[at] <= 57


@inline_kernel
def _prefix(data, begin, end, classes):
    """Bytes of the prefix that splits off `data[begin:end]`, 0 if none does."""
    lead = data[begin]
    size = min(width(lead), end - begin)
    if classes[decode(data, begin, end)] & PREFIX:
        return size
    if lead == ord("+") and not _is_digit(data, begin + 1, begin, end):
        return 1
    if lead == ord("."):
        at = begin
        while at < end and data[at] == ord("."):
            at += 1
        return at - begin if at - begin > 1 else 0
    if lead == ord("U") and begin + 2 < end and data[begin + 1] == ord("S") and data[begin + 2] == ord("$"):
        return 3
    if (lead == ord("C") or lead == ord("A")) and begin + 1 < end and data[begin + 1] == ord("$"):
        return 2
    return 0


@inline_kernel
def _suffix(data, begin, end, tables):
    """Bytes of the suffix that splits off `data[begin:end]`, 0 if none does."""
    if begin >= end:
        return 0
    classes = tables.classes
    last = step_back(data, end, begin)
    point = decode(data, last, end)
    kind = classes[point]
    if point == ord("."):
        return _stop_suffix(data, begin, last, classes)
    if (point == ord("s") or point == ord("S")) and last > begin:
        mark = step_back(data, last, begin)
        if data[mark] == ord("'") or decode(data, mark, last) == 0x2019:
            return end - mark
    if kind & EDGE:
        if point == 0x2026 and last > begin:
            before = step_back(data, last, begin)
            if decode(data, before, last) == 0x2026:
                return end - before
        return end - last
    if _is_digit(data, last - 1, begin, end) and (point == ord("+") or kind & CURRENCY):
        return end - last
    return _unit_suffix(data, begin, last, end, tables)


@kernel
def _stop_suffix(data, begin, last, classes):
    """Bytes of the suffix that ends with the full stop at `last`."""
    at = last
    while at > begin and data[at - 1] == ord("."):
        at -= 1
    if at < last:
        return last + 1 - at
    before = class_before(data, last, begin, classes)
    if before & BEFORE_STOP:
        return 1
    if last > begin:
        letter = step_back(data, last, begin)
        further = class_before(data, letter, begin, classes)
        if before & UPPER and further & UPPER:
            return 1
        if further and decode(data, step_back(data, letter, begin), letter) == 0xB0:
            return 1 if data[letter] in (ord("F"), ord("C"), ord("K"), ord("f"), ord("c"), ord("k")) else 0
    return 0


@kernel
def _unit_suffix(data, begin, last, end, tables):
    """Bytes of the unit of measure behind a digit at the end of `data[begin:end]`."""
    at = last
    floor = max(begin, end - 1 - _LONGEST_UNIT)
    while at > floor and not _is_digit(data, at, begin, end):
        at -= 1
    if at == last or not _is_digit(data, at, begin, end):
        return 0
    key = hash_bytes(data, at + 1, end)
    index = np.searchsorted(tables.units, key)
    return end - at - 1 if index < tables.units.size and tables.units[index] == key else 0


@kernel
def _infix(data, begin, at, end, classes):
    """Bytes of the infix at `at` inside `data[begin:end]`, 0 if there is none."""
    lead = data[at]
    if lead >= 0x80:
        point = decode(data, at, end)
        size = min(width(lead), end - at)
        if classes[point] & ICON or point == 0x2026:
            return size
        if point == 0x2013 or point == 0x2014:
            if _joins(data, begin, at, at + size, end, classes):
                return size
            doubled = at + size < end and decode(data, at + size, end) == 0x2014
            if point == 0x2014 and doubled and _joins(data, begin, at, at + 2 * size, end, classes):
                return 2 * size
        return 0
    if classes[lead] & ALPHA or 48 <= lead <= 57:
        return 0
    if lead == ord("."):
        after = at + 1
        while after < end and data[after] == ord("."):
            after += 1
        if after > at + 1:
            return after - at
        before = class_before(data, at, begin, classes) & (LOWER | QUOTE)
        return 1 if before and class_at(data, after, end, classes) & (UPPER | QUOTE) else 0
    if lead == ord(","):
        before = class_before(data, at, begin, classes) & ALPHA
        return 1 if before and class_at(data, at + 1, end, classes) & ALPHA else 0
    if lead == ord("-") or lead == ord("+") or lead == ord("*") or lead == ord("^"):
        digit_or_minus = _is_digit(data, at + 1, begin, end) or (at + 1 < end and data[at + 1] == ord("-"))
        if _is_digit(data, at - 1, begin, end) and digit_or_minus:
            return 1
    if lead == ord("-"):
        for size in range(1, 4):
            if _joins(data, begin, at, at + size, end, classes):
                return size
            if at + size >= end or data[at + size] != ord("-"):
                return 0
        return 0
    marks = lead in (ord(":"), ord("<"), ord(">"), ord("="), ord("/"), ord("~"))
    return 1 if marks and _joins(data, begin, at, at + 1, end, classes) else 0


@kernel
def _joins(data, begin, at, after, end, classes):
    """Whether `data[at:after]` stands between a letter or digit and a letter."""
    before = _is_digit(data, at - 1, begin, end) or class_before(data, at, begin, classes) & ALPHA
    return before and class_at(data, after, end, classes) & ALPHA != 0

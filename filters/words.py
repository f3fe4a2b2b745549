"""What a word is. Two definitions, by name.

`unicode`: punctuation splits off, contractions split up. A run of characters without white space is taken
apart by the rules of spaCy's English tokenizer, which datatrove counts words with: exceptions first, then
prefixes and suffixes stripped one at a time, then addresses kept whole, then infixes (`spacy/tokenizer.pyx`,
`_split_affixes` and `_attach_tokens`). Each rule is a test on the characters around one position, so the time
is linear.

`whitespace`: a run without white space is a word, as in the Gopher paper.

A kernel writes the byte range of each word, relative to the start of the document, and its hash, and returns
the number of words. No word contains white space and none is empty: there are at most as many words as bytes.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from filters.addresses import is_address
from filters.characters import (
    ALPHA,
    BEFORE_STOP,
    CURRENCY,
    EDGE,
    ICON,
    LOWER,
    PREFIX,
    QUOTE,
    SPACE,
    UPPER,
    character_classes,
    class_at,
    class_before,
    decode,
    step,
    step_back,
    width,
)
from filters.hashing import find_slot, hash_bytes
from filters.kernel import inline_kernel, kernel
from filters.word_exceptions import exceptions

WordDefinition = Literal["unicode", "whitespace"]
WORD_DEFINITIONS: tuple[WordDefinition, ...] = get_args(WordDefinition)

_UNITS = (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa "
    "mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч "
    "кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб US$ C$ A$"
).split()
_LONGEST_UNIT = max(len(unit.encode()) for unit in _UNITS)
_SLOTS = 8192


class WordTables(NamedTuple):
    """What the kernels of `unicode` look up."""

    classes: np.ndarray
    """Class bits of each code point: uint32."""
    keys: np.ndarray
    """Open-addressing hash table of the exceptions: uint64 hashes, 0 where empty."""
    pieces: np.ndarray
    """uint8, (slots, 3): bytes of each piece of an exception, 0 where there is none."""
    starts: np.ndarray
    """bool, (256,): first bytes of exceptions that the affix rules take apart, such as emoticons."""
    longest: int
    """Bytes of the longest exception."""
    units: np.ndarray
    """Sorted hashes of the units of measure: uint64."""


@lru_cache(maxsize=1)
def word_tables() -> WordTables:
    """The tables, built once."""
    keys = np.zeros(_SLOTS, dtype=np.uint64)
    pieces = np.zeros((_SLOTS, 3), dtype=np.uint8)
    starts = np.zeros(256, dtype=np.bool_)
    longest = 0
    for word, parts in exceptions().items():
        data = np.frombuffer(word.encode(), dtype=np.uint8)
        slot = find_slot(keys, _SLOTS - 1, np.uint64(_hash(word)))
        keys[slot] = _hash(word)
        pieces[slot, : len(parts)] = [len(part.encode()) for part in parts]
        starts[data[0]] |= len(parts) == 1 and not word.isalnum()
        longest = max(longest, len(data))
    units = np.sort(np.array([_hash(unit) for unit in _UNITS], dtype=np.uint64))
    return WordTables(character_classes(), keys, pieces, starts, longest, units)


def _hash(word: str) -> int:
    data = np.frombuffer(word.encode(), dtype=np.uint8)
    return int(hash_bytes(data, 0, len(data)))


@kernel
def whitespace_words(data, begin, end, tables, starts, ends, hashes):
    """Words by the definition `whitespace`: fills `starts`, `ends`, `hashes`, returns the number of words."""
    count = 0
    at = begin
    while at < end:
        start = at
        while at < end and not tables.classes[decode(data, at, end)] & SPACE:
            at = step(data, at, end)
        if at > start:
            starts[count] = start - begin
            ends[count] = at - begin
            hashes[count] = hash_bytes(data, start, at)
            count += 1
        at = step(data, at, end)
    return count


@kernel
def unicode_words(data, begin, end, tables, starts, ends, hashes):
    """Words by the definition `unicode`: fills `starts`, `ends`, `hashes`, returns the number of words."""
    count = 0
    at = begin
    while at < end:
        start = at
        letters = True
        while at < end:
            lead = data[at]
            kind = tables.classes[lead] if lead < 0x80 else tables.classes[decode(data, at, end)]
            if kind & SPACE:
                break
            letters &= kind & (ALPHA | PREFIX) == ALPHA
            at = step(data, at, end)
        if at > start:
            key = hash_bytes(data, start, at)
            slot = _find_hash(key, tables) if at - start <= tables.longest else -1
            if slot >= 0:
                count = _emit_pieces(data, start, slot, tables, begin, starts, ends, hashes, count)
            elif letters:
                starts[count] = start - begin
                ends[count] = at - begin
                hashes[count] = key
                count += 1
            else:
                first = count
                count = _split_run(data, start, at, tables, begin, starts, ends, hashes, count)
                if count > first + 1:
                    count = _rejoin(data, tables, begin, starts, ends, hashes, first, count)
        at = step(data, at, end)
    return count


@inline_kernel
def _find_hash(key, tables):
    """The slot of the exception with this hash, or -1."""
    slot = find_slot(tables.keys, _SLOTS - 1, key)
    return slot if tables.keys[slot] else -1


@kernel
def _find_exception(data, begin, end, tables):
    """The slot of the exception `data[begin:end]`, or -1."""
    if end <= begin or end - begin > tables.longest:
        return -1
    return _find_hash(hash_bytes(data, begin, end), tables)


@kernel
def _emit(data, start, stop, base, starts, ends, hashes, count):
    """Writes one word; returns the new number of words."""
    starts[count] = start - base
    ends[count] = stop - base
    hashes[count] = hash_bytes(data, start, stop)
    return count + 1


@kernel
def _emit_pieces(data, start, slot, tables, base, starts, ends, hashes, count):
    """Writes the pieces of an exception; returns the new number of words."""
    for piece in range(3):
        size = np.int64(tables.pieces[slot, piece])
        if size:
            count = _emit(data, start, start + size, base, starts, ends, hashes, count)
            start += size
    return count


@kernel
def _emit_checked(data, start, stop, tables, base, starts, ends, hashes, count):
    """Writes one word, or its pieces if it is an exception; returns the new number of words."""
    slot = _find_exception(data, start, stop, tables)
    if slot >= 0:
        return _emit_pieces(data, start, slot, tables, base, starts, ends, hashes, count)
    return _emit(data, start, stop, base, starts, ends, hashes, count)


@kernel
def _split_run(data, begin, end, tables, base, starts, ends, hashes, count):
    """Takes apart the run `data[begin:end]`, which is no exception; returns the new number of words.

    Suffixes are found from the outside in: they are written behind the last word as they come, then turned
    around.
    """
    low, high = begin, end
    suffixes = 0
    room = starts.size
    while low < high:
        if _find_exception(data, low, high, tables) >= 0:
            break
        prefix = _prefix(data, low, high, tables.classes)
        if prefix and _find_exception(data, low + prefix, high, tables) >= 0:
            count = _emit(data, low, low + prefix, base, starts, ends, hashes, count)
            low += prefix
            break
        suffix = _suffix(data, low + prefix, high, tables)
        if suffix and _find_exception(data, low, high - suffix, tables) >= 0:
            suffixes += 1
            _emit(data, high - suffix, high, base, starts, ends, hashes, room - suffixes)
            high -= suffix
            break
        if not prefix and not suffix:
            break
        if prefix:
            count = _emit(data, low, low + prefix, base, starts, ends, hashes, count)
            low += prefix
        if suffix:
            suffixes += 1
            _emit(data, high - suffix, high, base, starts, ends, hashes, room - suffixes)
            high -= suffix
    if low < high:
        count = _split_middle(data, low, high, tables, base, starts, ends, hashes, count)
    for index in range(room - suffixes, room):
        starts[count] = starts[index]
        ends[count] = ends[index]
        hashes[count] = hashes[index]
        count += 1
    return count


@kernel
def _split_middle(data, begin, end, tables, base, starts, ends, hashes, count):
    """Splits at infixes what is left between prefixes and suffixes, unless it is an exception or an address."""
    slot = _find_exception(data, begin, end, tables)
    if slot >= 0:
        return _emit_pieces(data, begin, slot, tables, base, starts, ends, hashes, count)
    if is_address(data, begin, end, tables.classes):
        return _emit(data, begin, end, base, starts, ends, hashes, count)
    piece = at = begin
    while at < end:
        size = _infix(data, begin, at, end, tables.classes)
        if size == 0:
            at = step(data, at, end)
            continue
        if at > begin:
            if at > piece:
                count = _emit_checked(data, piece, at, tables, base, starts, ends, hashes, count)
            count = _emit(data, at, at + size, base, starts, ends, hashes, count)
            piece = at + size
        at += size
    if piece < end:
        count = _emit_checked(data, piece, end, tables, base, starts, ends, hashes, count)
    return count


@kernel
def _rejoin(data, tables, base, starts, ends, hashes, first, count):
    """Joins words of one run that together are an exception: `)` `:` is `):`. Returns the new number of words."""
    kept = first
    index = first
    while index < count:
        last = index
        start = starts[index]
        if tables.starts[data[base + start]]:
            for other in range(min(index + 4, count - 1), index, -1):
                if ends[other] - start <= tables.longest:
                    slot = _find_exception(data, base + start, base + ends[other], tables)
                    if slot >= 0 and tables.pieces[slot, 1] == 0:
                        last = other
                        break
        if last > index:
            _emit(data, base + start, base + ends[last], base, starts, ends, hashes, kept)
        else:
            starts[kept] = start
            ends[kept] = ends[index]
            hashes[kept] = hashes[index]
        kept += 1
        index = last + 1
    return kept


@inline_kernel
def _is_digit(data, at, begin, end):
    return begin <= at < end and 48 <= data[at] <= 57


@kernel
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


@kernel
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
    if point == ord("s") or point == ord("S"):
        if last > begin:
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
    while at > begin and end - at <= _LONGEST_UNIT:
        if _is_digit(data, at, begin, end):
            return 0
        if _is_digit(data, at - 1, begin, end):
            key = hash_bytes(data, at, end)
            index = np.searchsorted(tables.units, key)
            return end - at if index < tables.units.size and tables.units[index] == key else 0
        at = step_back(data, at, begin)
    return 0


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

"""Affix rules: a run of characters without white space taken apart as spaCy's English tokenizer does.

Exceptions first, then prefixes and suffixes stripped one at a time, then addresses kept whole, then infixes
(`spacy/tokenizer.pyx`, `_split_affixes` and `_attach_tokens`). Each rule is a test on the characters around
one position, so the time is linear.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.addresses import is_address
from filters.text.characters import (
    ALPHA,
    BEFORE_STOP,
    CURRENCY,
    EDGE,
    ICON,
    LOWER,
    PREFIX,
    QUOTE,
    UPPER,
    ascii_letters_end,
    class_at,
    class_before,
    decode,
    step,
    step_back,
    width,
)
from filters.text.hashing import hash_bytes, hash_text
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_within, trailing_zeros
from filters.text.word_exceptions import exception_slot, find_exception
from filters.text.word_record import write_word

_UNITS = (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h "
    "kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм "
    "мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб US$ C$ A$"
).split()
_LONGEST_UNIT = max(len(unit.encode()) for unit in _UNITS)

plain_letters = bytes_within((ord("A"), ord("Z")), (ord("a"), ord("z")), (0x80, 0xBF), (0xD0, 0xD1))
"""Bytes of the Latin letters of ASCII and the Cyrillic ones from U+0400 to U+047F."""


def unit_hashes() -> np.ndarray:
    """The hashes of the units of measure, in ascending order: uint64."""
    return np.sort(np.array([hash_text(unit) for unit in _UNITS], dtype=np.uint64))


@inline_kernel
def take_apart(data, start, end, key, tables, base, words, count):
    """Writes the words of the run `data[start:end]`, whose hash is `key`; returns the new number of words."""
    slot = exception_slot(key, tables.exceptions)
    if slot >= 0:
        return _write_pieces(data, start, slot, tables, base, words, count)
    first = count
    split = _letters_before_mark(data, start, end, tables)
    if split > start:
        count = write_word(data, start, split, tables.classes, base, words, count)
        count = write_word(data, split, end, tables.classes, base, words, count)
    else:
        count = _split_run(data, start, end, tables, base, words, count)
    return _rejoin(data, tables, base, words, first, count) if count > first + 1 else count


@inline_kernel
def _letters_before_mark(data, start, end, tables):
    """Where the mark in `data[start:end]` is, if it is letters and one mark that splits off; else `start`."""
    split = _plain_letters_end(data, start, end)
    if split in (start, end) or step(data, split, end) != end:
        return start
    if find_exception(data, start, split, tables.exceptions) >= 0:
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
    return min(at + trailing_zeros(~plain_letters(data, at)), end)


@kernel
def _write_pieces(data, start, slot, tables, base, words, count):
    """Writes the pieces of an exception; returns the new number of words."""
    for piece in range(3):
        size = np.int64(tables.exceptions.pieces[slot, piece])
        if size:
            count = write_word(data, start, start + size, tables.classes, base, words, count)
            start += size
    return count


@inline_kernel
def _split_run(data, begin, end, tables, base, words, count):
    """Takes apart the run `data[begin:end]`, which is no exception; returns the new number of words.

    Suffixes come off from the outside in. They wait at the far end of the run's room in `words`, one a byte.
    """
    low, high = begin, end
    waiting = 0
    slot = -1
    room = count + end - begin
    while low < high:
        if _is_plain(data, low, high):
            slot = find_exception(data, low, high, tables.exceptions)
            break
        prefix = _prefix(data, low, high, tables.classes)
        suffix = _suffix(data, low + prefix, high, tables)
        if not prefix and not suffix:
            break
        if prefix:
            slot = find_exception(data, low + prefix, high, tables.exceptions)
            if slot >= 0:
                count = write_word(data, low, low + prefix, tables.classes, base, words, count)
                low += prefix
                break
        if suffix:
            waiting += 1
            write_word(data, high - suffix, high, tables.classes, base, words, room - waiting)
            high -= suffix
            slot = find_exception(data, low, high, tables.exceptions)
            if slot >= 0:
                break
        if prefix:
            count = write_word(data, low, low + prefix, tables.classes, base, words, count)
            low += prefix
        slot = find_exception(data, low, high, tables.exceptions)
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
        return write_word(data, begin, end, tables.classes, base, words, count)
    piece = at = begin
    while at < end:
        at = ascii_letters_end(data, at, end)
        size = _infix(data, begin, at, end, tables.classes) if at < end else 0
        if size == 0:
            at = step(data, at, end) if at < end else end
            continue
        if at > begin:
            if at > piece:
                count = write_word(data, piece, at, tables.classes, base, words, count)
            count = write_word(data, at, at + size, tables.classes, base, words, count)
            piece = at + size
        at += size
    if piece < end:
        count = write_word(data, piece, end, tables.classes, base, words, count)
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
        if tables.exceptions.starts[data[start]]:
            last = min(index + 4, count - 1)
            while last > index:
                slot = find_exception(data, start, base + words[last].end, tables.exceptions)
                if slot >= 0 and tables.exceptions.marked[slot]:
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

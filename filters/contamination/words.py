"""Words as benchmarks and documents are compared by: without case, accents, endings and look-alike letters.

A number is one word, `80,000` the same as `80000`. English plurals lose their ending by the rules of Harman
1991 ("How effective is suffixing?", the S stemmer), Russian words theirs by the light stemmer of Dolamic and
Savoy 2009 ("Indexing and searching strategies for the Russian language").
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from filters.text.characters import decode, step
from filters.text.folding import DROPPED, IDEOGRAPH, SEPARATOR, word_folding
from filters.text.hashing import FIRST_BYTES, combine, hash_short, load64
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_within, trailing_zeros

VERSION = 1

NUMBER = 1
"""Flag of a unit that is a number."""
SENTENCE = 2
"""Flag of a unit before which a sentence ends: a terminal mark, a line break or nothing stands there."""
CLAUSE = 4
"""Flag of a unit before which another mark stands than a comma or a hyphen."""
QUOTED = 8
"""Flag of a unit between quotation marks."""
CHOSEN = 16
"""Flag of a unit of code that is a name which the author chose."""

UNIT = np.dtype(
    [("hash", np.uint64), ("start", np.int32), ("end", np.int32), ("flags", np.uint8)], align=True
)
"""A word, or a piece of code: its hash, its bytes from the start of the document, its flags."""

_ENDS_SENTENCE, _ENDS_CLAUSE, _QUOTES, _OPENS, _CLOSES = 2, 3, 4, 5, 6
"""What marks fold to, beside DROPPED and SEPARATOR."""
_NO_OPERATORS = "<>|"
"""Of the mathematical symbols those that are marks; the others and `^` are words, a row a single one."""
_LONGEST = 64
"""Letters of a word that count."""
_GREEK, _CYRILLIC_END = 0x370, 0x530
_CYRILLIC = 0x400
_LATIN_OF = dict(zip("аеіјорсухѕһԁԛԝвкмнтαεικνορτυχ", "aeijopcyxshdqwbkmhtaeiknoptux", strict=True))
"""Letters that look like a Latin one, as small letters or as capitals."""
_RUSSIAN_ENDINGS = (
    "иям иях оях ями оям оьв ами его ему ери ими ого ому ыми оев",
    "ая яя ях юю ах ею их ия ию ьв ою ую ям ых ея ам ем ей ем ев ий им ое ой ом ов ые ый ым ми",
    "ь и а е о у ы ю я й",
)
_FIRST_RUSSIAN, _RUSSIAN_LETTERS = 0x430, 32
_NO_LETTER = ord("ъ") - _FIRST_RUSSIAN
"""Stands in no ending."""
_ascii_letters = bytes_within((ord("A"), ord("Z")), (ord("a"), ord("z")))
_CASE = np.uint64(0x2020202020202020)
_SPACE, _NEWLINE, _POINT, _COMMA, _S, _Y = 32, 10, 46, 44, 115, 121


class WordTables(NamedTuple):
    """Lookup tables of `find_words`."""

    folding: np.ndarray
    """What each code point becomes: uint32, shape (0x110000,)."""
    latin: np.ndarray
    """The Latin letter that a Greek or Cyrillic one looks like, or 0: uint32."""
    cyrillic: np.ndarray
    """The Cyrillic letter that an ASCII one looks like, or 0: uint32."""
    endings: np.ndarray
    """How many of the last three letters of a Russian word are an ending: uint8, shape (32, 32, 32)."""


@lru_cache(maxsize=1)
def word_tables() -> WordTables:
    """The lookup tables of `find_words`."""
    folding = word_folding().copy()
    for marks, folded in (
        ("'’ʼ‘`´", DROPPED),
        (".!?\n\r\u2028\u2029…。！？", _ENDS_SENTENCE),
        (":;()[]{}—–|/\t：；（）", _ENDS_CLAUSE),
        ('"', _QUOTES),
        ("“«„「『", _OPENS),
        ("”»」』", _CLOSES),
    ):
        folding[[ord(mark) for mark in marks]] = folded
    for point in range(sys.maxunicode + 1):
        if chr(point) == "^" or (
            unicodedata.category(chr(point)) == "Sm" and chr(point) not in _NO_OPERATORS
        ):
            folding[point] = point | IDEOGRAPH
    latin = np.zeros(_CYRILLIC_END - _GREEK, dtype=np.uint32)
    cyrillic = np.zeros(128, dtype=np.uint32)
    for letter, like in _LATIN_OF.items():
        latin[ord(letter) - _GREEK] = ord(like)
        if ord(letter) >= _CYRILLIC:
            cyrillic[ord(like)] = cyrillic[ord(like)] or ord(letter)
    return WordTables(folding, latin, cyrillic, _endings(folding))


def _endings(folding: np.ndarray) -> np.ndarray:
    endings = np.zeros((_RUSSIAN_LETTERS,) * 3, dtype=np.uint8)
    for group in reversed(_RUSSIAN_ENDINGS):
        for ending in group.split():
            letters = [int(folding[ord(letter)]) - _FIRST_RUSSIAN for letter in ending]
            endings[(slice(None),) * (3 - len(letters)) + tuple(letters)] = len(letters)
    return endings


@kernel
def find_words(data, begin, end, tables, points, units):
    """Writes the words of `data[begin:end]` to `units` (UNIT, one a byte); returns their number.

    `points`: uint32, room for the letters of a word.
    """
    count = 0
    flags, quoted = SENTENCE, 0
    at = begin
    while at < end:
        lead = data[at]
        if lead == _SPACE:
            at += 1
            continue
        hashed, stop = _plain_word(data, at, end, tables.folding)
        if stop == at:
            hashed, stop, number = _word(data, at, end, tables, points)
            flags |= number
        if stop > at:
            count = put_unit(units, count, hashed, at - begin, stop - begin, flags | quoted)
            flags = 0
            at = stop
            continue
        mark = tables.folding[decode(data, at, end)]
        after = step(data, at, end)
        if mark > SEPARATOR:
            flags |= SENTENCE if mark == _ENDS_SENTENCE else CLAUSE
            if mark == _QUOTES:
                quoted ^= QUOTED
            elif mark > _QUOTES:
                quoted = QUOTED if mark == _OPENS else 0
            elif lead == _NEWLINE and after < end and data[after] == _NEWLINE:
                quoted = 0
        at = after
    return count


@inline_kernel
def put_unit(units, count, hashed, start, end, flags):
    """Writes one unit; returns the new number of units."""
    unit = units[count]
    unit.hash = hashed
    unit.start = start
    unit.end = end
    unit.flags = flags
    return count + 1


@inline_kernel
def _plain_word(data, at, end, folding):
    """The hash and the end of a word of up to 16 ASCII letters; `at` where none is, or none so simple."""
    if at + WIDTH > data.size:
        return np.uint64(0), at
    size = trailing_zeros(~_ascii_letters(data, at))
    stop = at + size
    if size == 0 or size > 16 or stop >= end or data[stop] >= 0x80:
        return np.uint64(0), at
    behind = folding[data[stop]]
    if behind == DROPPED or behind > _CLOSES:
        return np.uint64(0), at
    if size > 3 and data[stop - 1] | 32 == _S:
        before = data[stop - 2] | 32
        second = data[stop - 3] | 32
        if before == 101 and second == 105:  # ies
            return np.uint64(0), at
        size -= _has_plural(before, second)
    low = (load64(data, at) | _CASE) & FIRST_BYTES[size]
    high = (load64(data, at + 8) | _CASE) & FIRST_BYTES[max(size - 8, 0)]
    return hash_short(size, low, high), stop


@inline_kernel
def _has_plural(before, second):
    """Whether the `s` behind these two letters, which are not `ie`, is the ending of a plural."""
    if before == 101:  # es
        return not ((second == 97) | (second == 101) | (second == 111))
    return not ((before == 117) | (before == _S))


@kernel
def _word(data, at, end, tables, points):
    """The hash, the end and the flag of the word or number that begins at `at`; its end is `at` if none."""
    folding = tables.folding
    size = 0
    digits = True
    stop = at
    while at < end:
        lead = data[at]
        point = folding[lead] if lead < 0x80 else folding[decode(data, at, end)]
        after = at + 1 if lead < 0x80 else step(data, at, end)
        if point >= IDEOGRAPH:
            if size:
                break
            points[0] = point
            while after < end and data[at] < 0x80 and data[after] == data[at]:
                after += 1
            return _hash_points(points, 1), after, 0
        if point > _CLOSES:
            digits = digits and _is_digit(point)
            if size < _LONGEST:
                points[size] = point
            size += 1
            stop = after
        elif size and digits and _goes_on(data, at, end, size):
            if lead == _POINT and size < _LONGEST:
                points[size] = _POINT
                size += 1
        elif point != DROPPED or size == 0:
            break
        elif lead >= 0x80:  # an accent belongs to its letter
            stop = after
        at = after
    if size == 0:
        return np.uint64(0), stop, 0
    size = min(size, _LONGEST)
    return _hash_points(points, size) if digits else _hash_word(points, size, tables), stop, np.int64(digits)


@kernel
def _goes_on(data, at, end, size):
    """Whether a mark stands in a number: a decimal point, or a comma before three digits."""
    if at + 1 >= end or not _is_digit(data[at + 1]):
        return False
    if data[at] == _POINT:
        return True
    digits = 0
    while at + 1 + digits < end and digits < 4 and _is_digit(data[at + 1 + digits]):
        digits += 1
    return data[at] == _COMMA and digits == 3 and size <= 12


@inline_kernel
def _is_digit(byte):
    return (byte >= 48) & (byte < 58)


@kernel
def _hash_points(points, size):
    """The hash of letters: of up to 16 ASCII ones as `_plain_word` makes it."""
    low = high = state = np.uint64(0)
    for index in range(size):
        point = np.uint64(points[index])
        if point >= 0x80 or index >= 16:
            state = combine(state + np.uint64(index + 1), point)
        elif index < 8:
            low |= point << np.uint64(8 * index)
        else:
            high |= point << np.uint64(8 * index - 64)
    return hash_short(size, low ^ state, high)


@kernel
def _hash_word(points, size, tables):
    """The hash of the stem of `points[:size]`, in one script as far as look-alike letters allow."""
    latin = beyond = only_latin = 0
    for index in range(size):
        point = points[index]
        if (point >= 97) & (point < 123):
            latin += 1
            only_latin += tables.cyrillic[point] == 0
        beyond += (point >= _GREEK) & (point < _CYRILLIC_END)
    mostly_beyond = beyond > latin and only_latin == 0
    if latin and (mostly_beyond or not _all_look_latin(points, size, tables.latin)):
        _write_as_cyrillic(points, size, tables.cyrillic)
    elif latin and beyond:
        _write_as_latin(points, size, tables.latin)
        beyond = 0
    if beyond == 0:
        return _hash_points(points, _without_plural(points, size))
    size -= _ending(points, size, tables.endings)
    if _all_look_latin(points, size, tables.latin):
        _write_as_latin(points, size, tables.latin)
    return _hash_points(points, size)


@inline_kernel
def _all_look_latin(points, size, latin):
    """Whether no letter is Greek or Cyrillic but those that look like a Latin one."""
    for index in range(size):
        point = points[index]
        if (point >= _GREEK) & (point < _CYRILLIC_END) and latin[point - np.uint32(_GREEK)] == 0:
            return False
    return True


@inline_kernel
def _write_as_cyrillic(points, size, cyrillic):
    for index in range(size):
        if points[index] < 128 and cyrillic[points[index]]:
            points[index] = cyrillic[points[index]]


@inline_kernel
def _write_as_latin(points, size, latin):
    for index in range(size):
        if (points[index] >= _GREEK) & (points[index] < _CYRILLIC_END):
            like = latin[points[index] - np.uint32(_GREEK)]
            points[index] = like if like else points[index]


@inline_kernel
def _without_plural(points, size):
    """The letters of an English word without the ending of a plural; of `ies` a `y` stays."""
    if size < 4 or points[size - 1] != _S:
        return size
    before, second = points[size - 2], points[size - 3]
    if before == 101 and second == 105:  # ies
        if (points[size - 4] == 97) | (points[size - 4] == 101):
            return size
        points[size - 3] = _Y
        return size - 2
    return size - _has_plural(before, second)


@inline_kernel
def _ending(points, size, endings):
    """How many letters of a Russian word are its ending; three letters at least are none."""
    if size < 4:
        return 0
    third = _letter(points[size - 3]) if size > 5 else _NO_LETTER
    second = _letter(points[size - 2]) if size > 4 else _NO_LETTER
    return np.int64(endings[third, second, _letter(points[size - 1])])


@inline_kernel
def _letter(point):
    """The place of a Russian letter in the alphabet."""
    place = np.int64(point) - _FIRST_RUSSIAN
    return place if (place >= 0) & (place < _RUSSIAN_LETTERS) else _NO_LETTER

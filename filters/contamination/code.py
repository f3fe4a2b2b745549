"""Code as solutions and documents are compared by: what stays when it is renamed, reformatted, commented.

A unit is a keyword, a name that a language or a library gives, a number, a string or an operator. A name that
the author chose is only where it stood before, as in parameterized matching (Baker 1993, "A theory of
parameterized pattern matching"). Brackets, commas, white space, comments and texts in three quotes are
left out.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from filters.contamination.words import CHOSEN, NUMBER, put_unit
from filters.text.hashing import combine, hash_bytes, hash_text, mix
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_within, count_ones, low_bits

VERSION = 1

_GIVEN_NAMES = """
False None True and as assert async await break class continue def del elif else except finally for from
global if import in is lambda nonlocal not or pass raise return try while with yield match case self cls super
abs all any bin bool bytes bytearray chr complex dict divmod enumerate filter float format frozenset getattr
hasattr hash hex id input int isinstance iter len list map max min next object oct open ord pow print property
range repr reversed round set setattr slice sorted str sum tuple type zip math re collections itertools
functools heapq string random datetime os sys json numpy np Exception ValueError KeyError IndexError TypeError
function var let const new this typeof instanceof void null undefined true false switch default do catch throw
export static Array Math Object String Number Map Set parseInt parseFloat console public private protected
final abstract interface extends implements package int long double float char boolean byte short struct enum
union typedef unsigned signed auto sizeof goto template typename namespace using std vector string virtual
func go chan defer range map type fn mut impl trait pub use mod crate where match loop SELECT FROM WHERE JOIN
GROUP ORDER BY INSERT UPDATE DELETE select where join group order by insert update delete
"""
_MARKS_OF_CODE = 4
"""Brackets, equals signs and semicolons among 128 bytes: hardly any program has fewer, most prose has."""
_AROUND = 2048
"""Bytes around that are read too: more than most docstrings, whose end must not look like a beginning."""
_code_marks = bytes_within((0x28, 0x29), (0x3B, 0x3B), (0x3D, 0x3D), (0x5B, 0x5B), (0x5D, 0x5D), (0x7B, 0x7D))
_FARTHEST = 24
"""Units back to which a name is looked for."""
_REMEMBERED = 32
"""Names: at least _FARTHEST, a power of two."""
_LIKELY = 1 << 13
_LONGEST_STRING = 1 << 8
"""Bytes; what is longer is not taken for a string."""
_LEFT_OUT, _LETTER, _DIGIT, _QUOTE, _MARK = range(5)
_NEWLINE, _BACKSLASH, _HASH, _SLASH, _STAR, _DOT, _EQUALS = (ord(c) for c in "\n\\#/*.=")
_SPACE, _DASH, _BACKTICK = (ord(c) for c in " -`")
_BEFORE_COMMENT = np.array([chr(byte) in "{};,(" for byte in range(256)])
"""Whether `//` behind a byte begins a comment, for no operator can stand there."""
_CHOSEN = np.uint64(0x5851F42D4C957F2D)
_STRING = np.uint64(2)
"""Changes the hash of a string, so that it is no name's: what `hash_bytes` gives is odd, so both stay so."""


class CodeTables(NamedTuple):
    """Lookup tables of `find_code`."""

    kinds: np.ndarray
    """What each byte is: uint8."""
    given: np.ndarray
    """Sorted hashes of the names that are not the author's: uint64."""
    likely: np.ndarray
    """Whether a given name may end with these bits of its hash: bool, a quick test."""


@lru_cache(maxsize=1)
def code_tables() -> CodeTables:
    """The lookup tables of `find_code`."""
    kinds = np.full(256, _LEFT_OUT, dtype=np.uint8)
    for byte in range(256):
        character = chr(byte)
        if character.isalpha() or character in "_$" or byte >= 0x80:
            kinds[byte] = _LETTER
        elif character in "0123456789":
            kinds[byte] = _DIGIT
        elif character in "\"'`":
            kinds[byte] = _QUOTE
        elif character in "+-*/%=<>!&|^~[.?@":
            kinds[byte] = _MARK
    given = np.unique([hash_text(name) for name in _GIVEN_NAMES.split()])
    likely = np.zeros(_LIKELY, dtype=np.bool_)
    likely[(given & np.uint64(_LIKELY - 1)).astype(np.int64)] = True
    return CodeTables(kinds, given, likely)


class NameMemory(NamedTuple):
    """The last names in a document that its author chose, in turn."""

    names: np.ndarray
    """Hashes: uint64."""
    units: np.ndarray
    """Where each stood: int64."""


def name_memory() -> NameMemory:
    """Room for the names of one document after another."""
    return NameMemory(np.zeros(_REMEMBERED, dtype=np.uint64), np.zeros(_REMEMBERED, dtype=np.int64))


@kernel
def next_code(data, begin, end):
    """Where from `begin` on marks of programs stand close together, and some text around; else `end` twice.

    A quick test of what is worth a look; the last bytes of the buffer always are.
    """
    first, last = end, end
    before = 0
    for at in range(begin, end, WIDTH):
        marks = _MARKS_OF_CODE
        if at + WIDTH <= data.size:
            marks = count_ones(_code_marks(data, at) & low_bits(end - at))
        if before + marks >= _MARKS_OF_CODE:
            first = min(first, max(begin, at - _AROUND))
            last = min(end, at + WIDTH + _AROUND)
        elif first < end and at > last:
            break
        before = marks
    return first, last


@kernel
def find_code(data, begin, end, base, tables, memory, units):
    """Writes the units of `data[begin:end]` as code (UNIT, one a byte), with their bytes from `base` on.

    Returns their number.
    """
    kinds = tables.kinds
    count = chosen = 0
    comment_may_begin = True
    attribute = False
    blocks_end = True
    at = begin
    while at < end:
        byte = data[at]
        kind = kinds[byte]
        after = at + 1
        if kind == _LEFT_OUT:
            if byte == _NEWLINE:
                comment_may_begin = True
            elif byte == _HASH:
                after = _line_end(data, at, end)
            elif byte > _SPACE:
                comment_may_begin = _BEFORE_COMMENT[byte]
                attribute = False
            at = after
            continue
        if _begins_line_comment(data, begin, at, end, comment_may_begin):
            at = _line_end(data, at, end)
            continue
        if blocks_end and byte == _SLASH and after < end and data[after] == _STAR:
            stop = _block_end(data, at + 2, end)
            blocks_end = stop > 0
            if blocks_end:
                at = stop
                continue
        if kind == _LETTER:
            while after < end and (kinds[data[after]] == _LETTER or kinds[data[after]] == _DIGIT):
                after += 1
            if after < end and kinds[data[after]] == _QUOTE and after - at <= 2:
                at = after
                continue
            name = hash_bytes(data, at, after)
            given = attribute or _is_given(name, tables)
            hashed = name if given else _place_of(name, count, memory, chosen)
            chosen += not given
            count = put_unit(units, count, hashed, at - base, after - base, 0 if given else CHOSEN)
            attribute = False
        elif kind == _DIGIT:
            attribute = False
            while after < end and (kinds[data[after]] == _LETTER or kinds[data[after]] == _DIGIT):
                after += 1
            count = put_unit(units, count, hash_bytes(data, at, after), at - base, after - base, NUMBER)
        elif kind == _QUOTE:
            attribute = False
            if after + 1 < end and data[after] == byte and data[after + 1] == byte:
                after = at + 3 if byte == _BACKTICK else _quoted_end(data, at + 3, end, byte)
            else:
                stop = _string_end(data, after, end, byte)
                if stop > 0:
                    hashed = hash_bytes(data, after, stop) ^ _STRING
                    after = stop + 1
                    count = put_unit(units, count, hashed, at - base, after - base, 0)
        else:
            attribute = byte == _DOT
            if not attribute:
                while after < end and after - at < 3 and _goes_with(data[after], byte):
                    after += 1
                count = put_unit(units, count, hash_bytes(data, at, after), at - base, after - base, 0)
        comment_may_begin = False
        at = after
    return count


@inline_kernel
def _is_given(name, tables):
    if not tables.likely[name & np.uint64(_LIKELY - 1)]:
        return False
    place = np.searchsorted(tables.given, name)
    return place < tables.given.size and tables.given[place] == name


@inline_kernel
def _place_of(name, count, memory, chosen):
    """The unit of a name that the author chose, after so many: how many units ago it stood last."""
    back = 0
    for index in range(1, min(chosen, _FARTHEST) + 1):
        slot = (chosen - index) & (_REMEMBERED - 1)
        distance = count - memory.units[slot]
        if distance > _FARTHEST:
            break
        if memory.names[slot] == name:
            back = distance
            break
    slot = chosen & (_REMEMBERED - 1)
    memory.names[slot] = name
    memory.units[slot] = count
    return mix(combine(_CHOSEN, np.uint64(back))) | np.uint64(1)


@inline_kernel
def _goes_with(byte, first):
    """Whether a mark makes one operator with the one before it."""
    return (byte == _EQUALS) | ((byte == first) & (byte != 91)) | ((byte == 62) & (first == 45))


@kernel
def _line_end(data, at, end):
    while at < end and data[at] != _NEWLINE:
        at += 1
    return at


@inline_kernel
def _begins_line_comment(data, begin, at, end, comment_may_begin):
    """Whether `//` stands where no operator can, or `-- ` there or behind a space."""
    if at + 1 >= end or data[at] != data[at + 1]:
        return False
    if data[at] == _SLASH:
        return comment_may_begin
    stands_apart = comment_may_begin or (at > begin and data[at - 1] <= _SPACE)
    return data[at] == _DASH and at + 2 < end and data[at + 2] == _SPACE and stands_apart


@kernel
def _block_end(data, at, end):
    """Behind the end of a comment, 0 where it has none."""
    while at + 1 < end and not (data[at] == _STAR and data[at + 1] == _SLASH):
        at += 1
    return at + 2 if at + 1 < end else 0


@kernel
def _quoted_end(data, at, end, quote):
    """Behind the three quotation marks that close a text, or `at` where none do."""
    start = at
    while at + 2 < end and not (data[at] == quote and data[at + 1] == quote and data[at + 2] == quote):
        at += 1
    return at + 3 if at + 2 < end else start


@kernel
def _string_end(data, at, end, quote):
    """Where the closing quotation mark of a string stands, 0 where none does on its line."""
    limit = min(end, at + _LONGEST_STRING)
    while at < limit and data[at] != quote and data[at] != _NEWLINE:
        at += 2 if data[at] == _BACKSLASH else 1
    return at if at < limit and data[at] == quote else 0

"""Character classes: the kinds of Unicode code points that the word, line and sentence kernels tell apart.

The classes are bits in one table indexed by code point, so a kernel asks any question about a character with
one load. Most follow the Unicode character database of the running Python; the ones that decide where a word
ends follow spaCy's tokenizer (`spacy/lang/char_classes.py`), whose words datatrove counts.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache

import numpy as np

from filters.text.folding import UNSPACED
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_equal, bytes_within, count_ones, low_bits, trailing_zeros

SPACE = 1 << 0
"""`str.isspace`."""
LINE_BREAK = 1 << 1
"""Ends a line for `str.splitlines`."""
LETTER = 1 << 2
"""`str.isalpha`: categories L*."""
WORD = 1 << 3
"""`\\w`: letters, numbers, underscore."""
PUNCTUATION = 1 << 4
"""Categories P*."""
SYMBOL = 1 << 5
"""datatrove's punctuation set: a word made of these alone does not count as a word in Gopher's rules."""
TERMINAL = 1 << 6
"""The Unicode property Sentence_Terminal: ends a line for FineWeb, a sentence for C4."""
RUSSIAN_TERMINAL = 1 << 7
"""TERMINAL, and what else ends a line in Russian: closing quotation marks, ellipsis, colon, semicolon."""
ALPHA = 1 << 8
"""A letter to the infix rules: cased letters, and scripts without case by whole blocks."""
LOWER = 1 << 9
"""ALPHA that is lower-case or has no case."""
UPPER = 1 << 10
"""ALPHA that is upper-case or has no case."""
QUOTE = 1 << 11
"""Quotation marks, and brackets used as such."""
ICON = 1 << 12
"""Symbols and emoji, category So: words of their own wherever they stand."""
EDGE = 1 << 13
"""Punctuation, quotation marks, icons, dashes: words of their own at either end of a run."""
PREFIX = 1 << 14
"""EDGE, currency signs, `§`, `%` and `=`: words of their own at the start of a run."""
CURRENCY = 1 << 15
"""A word of its own behind a digit."""
BEFORE_STOP = 1 << 16
"""A full stop behind one of these, at the end of a run, is a word of its own."""
MATH = 1 << 17
"""A mathematical symbol or letter beyond ASCII: category Sm, superscripts and subscripts, `ℝ`, `𝑥`."""
MARK = 1 << 18
"""Belongs to the character before it, or is not seen: categories M* and Cf."""

IDEOGRAPH = 1 << 19
"""A letter or digit of a script without spaces between words, such as Han, kana and Thai."""
CLOSING = 1 << 20
"""A quotation mark or bracket that closes."""

_LINE_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_SYMBOLS = (
    "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
    + "".join(map(chr, (*range(0, 9), *range(11, 32), *range(127, 160))))
)
_MARKS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_CLOSING = "\"')]”’»›）］」』】》〉〕〗〙〛｝｣"
_CURRENCY = "$£€¥฿﷼" + "".join(map(chr, range(0x20A0, 0x20C0)))

# Sentence_Terminal of Unicode 15 (PropList.txt) and the Khmer and Yi marks that FineWeb adds, as inclusive
# ranges.
_TERMINAL = (
    "21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e 1735-1736 "
    "17d4-17d6 17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e 1c3b-1c3c 1c7e-1c7f "
    "203c-203d 2047-2049 2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 a6f7 a876-a877 a8ce-a8cf a92f "
    "a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e ff1f ff61 10a56-10a57 10f55-10f59 "
    "10f86-10f89 11047-11048 110be-110c1 11141-11143 111c5-111c6 111cd 111de-111df 11238-11239 "
    "1123b-1123c 112a9 1144b-1144c 115c2-115c3 115c9-115d7 11641-11642 1173c-1173e 11944 11946 "
    "11a42-11a43 11a9b-11a9c 11c41-11c42 11ef7-11ef8 11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 "
    "16e98 1bc9f 1da88"
)

# Super- and subscripts, letter-like symbols such as ℕ, mathematical letters.
_MATH = "b2-b3 b9 2070-209c 2102 210a-2113 2115 2119-211d 2124 2128 212c-212d 212f-2131 2133-2134 1d400-1d7ff"

# Scripts without case, which the infix rules take block by block: Hebrew, Arabic, Indic, Hangul, Ethiopic,
# CJK.
_UNCASED = (
    "591-5f4 620-64a 66e-6d5 6e5-6ff 750-77f 8a0-8bd 900-9ff b80-cff d80-dff 1100-137f 2e80-2fdf "
    "2ff0-30ff 31c0-31ef 3200-4dbf 4e00-9fff ac00-d7af f900-faff fb1d-fbb1 fbd3-fd3d fd50-fdc7 fdf0-fdfb "
    "fe30-fe4f fe70-fefc 1ee00-1eebb 1f200-1f2ff 20000-2a6df 2a700-2ebef 2f800-2fa1f"
)

_BYTES = 0x0101010101010101
ONES = np.uint64(_BYTES)
HIGH_BITS = np.uint64(0x80 * _BYTES)
_LOW_BITS = np.uint64(0x7F * _BYTES)
_CASE_BITS = np.uint64(0x20 * _BYTES)
_FROM_A = np.uint64((0x80 - ord("a")) * _BYTES)
_BEHIND_Z = np.uint64((0x80 - ord("z") - 1) * _BYTES)


def _ranges(text: str) -> list[int]:
    """The code points of inclusive hexadecimal ranges."""
    points: list[int] = []
    for item in text.split():
        first, _, last = item.partition("-")
        points.extend(range(int(first, 16), int(last or first, 16) + 1))
    return points


def _points(characters: str) -> list[int]:
    return [ord(character) for character in characters]


@lru_cache(maxsize=1)
def character_classes() -> np.ndarray:
    """The class bits of every code point: uint32, shape (0x110000,)."""
    everything = [chr(point) for point in range(sys.maxunicode + 1)]
    category = np.array([unicodedata.category(character) for character in everything])
    major = category.astype("U1")
    table = np.zeros(sys.maxunicode + 1, dtype=np.uint32)
    table[np.array([character.isspace() for character in everything])] |= SPACE
    table[major == "L"] |= LETTER
    table[(major == "L") | (major == "N")] |= WORD
    table[major == "P"] |= PUNCTUATION
    table[category == "So"] |= ICON
    table[(major == "M") | (category == "Cf")] |= MARK
    table[(category == "Lu") | (category == "Ll") | (category == "Lt")] |= ALPHA
    table[category == "Ll"] |= LOWER
    table[category == "Lu"] |= UPPER
    table[_ranges(_UNCASED)] |= ALPHA | LOWER | UPPER
    table[_points("_")] |= WORD
    table[category == "Sm"] |= MATH
    table[:128] &= ~np.uint32(MATH)
    table[_ranges(_MATH)] |= MATH
    for first, last in UNSPACED:
        block = table[first : last + 1]
        block[(block & WORD) != 0] |= IDEOGRAPH
    table[_points(_LINE_BREAKS)] |= LINE_BREAK
    table[_points(_SYMBOLS)] |= SYMBOL
    table[_ranges(_TERMINAL)] |= SYMBOL | TERMINAL | RUSSIAN_TERMINAL
    table[_points('»”“"…:;')] |= RUSSIAN_TERMINAL
    table[_points(_QUOTES)] |= QUOTE
    table[_points(_CLOSING)] |= CLOSING
    table[_points(_CURRENCY)] |= CURRENCY
    table[_points(_MARKS + _QUOTES + "—–")] |= EDGE
    table[(table & ICON) != 0] |= EDGE
    table[(table & (EDGE | CURRENCY)) != 0] |= PREFIX
    table[_points("§%=")] |= PREFIX
    table[(table & (LOWER | QUOTE)) != 0] |= BEFORE_STOP
    table[_points(_MARKS + "0123456789%²-+|")] |= BEFORE_STOP
    table.setflags(write=False)
    return table


@inline_kernel
def width(lead):
    """Bytes of the UTF-8 sequence that starts with byte `lead`; a stray continuation byte counts as one."""
    if lead < 0xC0:
        return 1
    if lead < 0xE0:
        return 2
    if lead < 0xF0:
        return 3
    return 4


@inline_kernel
def decode(data, at, end):
    """The code point at byte `at` of `data`; U+FFFD where the bytes before `end` are not UTF-8."""
    lead = np.uint32(data[at])
    if lead < 0x80:
        return lead
    size = width(lead)
    if size == 1 or at + size > end:
        return np.uint32(0xFFFD)
    if size == 2:
        return ((lead & 0x1F) << 6) | (np.uint32(data[at + 1]) & 0x3F)
    point = (np.uint32(data[at + 1]) & 0x3F) << 6 | (np.uint32(data[at + 2]) & 0x3F)
    if size == 3:
        return ((lead & 0x0F) << 12) | point
    point = ((lead & 0x07) << 18) | (point << 6) | (np.uint32(data[at + 3]) & 0x3F)
    return min(point, np.uint32(0x10FFFF))


@inline_kernel
def step(data, at, end):
    """The byte position of the character after the one at `at`."""
    return min(at + width(data[at]), end)


@inline_kernel
def step_back(data, at, begin):
    """The byte position of the character before `at`; `at` is greater than `begin`."""
    return start_of_character(data, at - 1, begin)


@inline_kernel
def start_of_character(data, at, begin):
    """The first byte of the character that byte `at` belongs to."""
    floor = max(begin, at - 3)
    while at > floor and (data[at] & 0xC0) == 0x80:
        at -= 1
    return at


@inline_kernel
def ascii_letters(block):
    """The high bit of each of the eight bytes in `block` that is an ASCII letter."""
    low_bits = (block | _CASE_BITS) & _LOW_BITS
    return (low_bits + _FROM_A) & ~(low_bits + _BEHIND_Z) & ~block & HIGH_BITS


_ascii_letters = bytes_within((ord("A"), ord("Z")), (ord("a"), ord("z")))
_spaces = bytes_within((9, 13), (28, 32))
_space_starts = bytes_within((9, 13), (28, 32), (0xC2, 0xC2), (0xE1, 0xE3))
"""Bytes that white space starts with, in all of Unicode."""
_break_starts = bytes_within((10, 13), (28, 30), (0xC2, 0xC2), (0xE2, 0xE2))
"""Bytes that line breaks start with."""
character_starts = bytes_within((0, 0x7F), (0xC0, 0xFF))
"""Bytes that a character starts with."""


@inline_kernel
def ascii_letters_end(data, at, end):
    """The position of the first byte in `data[at:end]` that is no ASCII letter."""
    while at + WIDTH <= data.size:
        others = ~_ascii_letters(data, at)
        if others or at + WIDTH >= end:
            return min(at + trailing_zeros(others), end)
        at += WIDTH
    while at < end and 97 <= data[at] | 0x20 <= 122:
        at += 1
    return at


@kernel
def find_byte(data, at, end, byte):
    """The position of the first `byte` in `data[at:end]`; `end` if there is none."""
    while at + WIDTH <= data.size:
        found = bytes_equal(data, at, byte)
        if found or at + WIDTH >= end:
            return min(at + trailing_zeros(found), end)
        at += WIDTH
    while at < end and data[at] != byte:
        at += 1
    return at


@inline_kernel
def skip_space(data, at, end, classes):
    """The position of the first character in `data[at:end]` that is no white space; else `end`."""
    return _find_class(data, at, end, classes, SPACE, False)


@inline_kernel
def find_space(data, at, end, classes):
    """The position of the first white space in `data[at:end]`; else `end`."""
    return _find_class(data, at, end, classes, SPACE, True)


@inline_kernel
def find_line_break(data, at, end, classes):
    """The position of the first line break in `data[at:end]`; else `end`."""
    return _find_class(data, at, end, classes, LINE_BREAK, True)


@inline_kernel
def _find_class(data, at, end, classes, kind, inside):
    """The position of the first character in `data[at:end]` that is `inside` a class or not; else `end`."""
    while at < end:
        if at + WIDTH <= data.size:
            candidates = _may_be(data, at, kind, inside)
            at = min(at + trailing_zeros(candidates), end)
            if not candidates:
                continue
        if (class_at(data, at, end, classes) & kind != 0) == inside:
            return at
        at = step(data, at, end)
    return end


@inline_kernel
def _may_be(data, at, kind, inside):
    """Which of the 64 bytes from `at` on may be the start of what `_find_class` looks for."""
    if kind == LINE_BREAK:
        return _break_starts(data, at)
    return _space_starts(data, at) if inside else ~_spaces(data, at)


@inline_kernel
def class_before(data, at, begin, classes):
    """Class bits of the character that ends at byte `at`, 0 at the beginning."""
    if at <= begin:
        return np.uint32(0)
    return classes[decode(data, step_back(data, at, begin), at)]


@inline_kernel
def class_at(data, at, end, classes):
    """Class bits of the character at byte `at`, 0 at the end."""
    if at >= end:
        return np.uint32(0)
    return classes[decode(data, at, end)]


@inline_kernel
def count_characters(data, begin, end):
    """Characters in `data[begin:end]`: the bytes that do not continue one."""
    count = 0
    at = begin
    while at < end and at + WIDTH <= data.size:
        found = character_starts(data, at)
        count += count_ones(found & low_bits(end - at))
        at += WIDTH
    while at < end:
        count += (data[at] & 0xC0) != 0x80
        at += 1
    return count


@inline_kernel
def count_byte(data, begin, end, byte):
    """How often `byte` is in `data[begin:end]`."""
    count = 0
    at = begin
    while at < end and at + WIDTH <= data.size:
        count += count_ones(bytes_equal(data, at, byte) & low_bits(end - at))
        at += WIDTH
    while at < end:
        count += data[at] == byte
        at += 1
    return count


@kernel
def append(data, at, end, target, size):
    """Writes `data[at:end]` behind the `size` bytes that `target` has; returns the new size."""
    source, rest = data[at:end], target[size:]
    for index in range(source.size):
        rest[index] = source[index]
    return size + source.size

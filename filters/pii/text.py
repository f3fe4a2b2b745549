"""Tests that the finders of personal data share: classes of bytes, neighbours, words before a candidate.

All finders judge what is left of a candidate by the bytes behind `floor`, the end of what was found before. A
candidate thus looks the same whether its neighbour has been masked or not, and masking again changes nothing.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import string

import numpy as np

from filters.text.characters import decode, step, step_back
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import count_ones

DIGIT = 1 << 0
LETTER = 1 << 1
UPPER = 1 << 2
LOWER = 1 << 3
HEX = 1 << 4
MAIL = 1 << 5
"""May stand before the `@` of an email address."""
LABEL = 1 << 9
"""Letters, digits and `-`: part of a host name."""
TOKEN = 1 << 6
"""Letters, digits, `_` and `-`: base64 for URLs."""
DOTTED = 1 << 10
"""TOKEN and the full stop."""
BASE64 = 1 << 7
"""Letters, digits, `+`, `/` and `=`."""
SECRET = 1 << 8
"""May stand in a quoted secret."""
ALNUM = DIGIT | LETTER


def _byte_classes() -> np.ndarray:
    alnum = string.ascii_letters + string.digits
    members = {
        DIGIT: string.digits,
        LETTER: string.ascii_letters,
        UPPER: string.ascii_uppercase,
        LOWER: string.ascii_lowercase,
        HEX: string.hexdigits,
        MAIL: alnum + "._%+-",
        LABEL: alnum + "-",
        TOKEN: alnum + "_-",
        DOTTED: alnum + "_-.",
        BASE64: alnum + "+/=",
        SECRET: alnum + "+/=_-.~!#$%^&*@",
    }
    classes = np.zeros(256, dtype=np.uint16)
    for bit, characters in members.items():
        classes[[ord(character) for character in characters]] |= bit
    return classes


CLASSES = _byte_classes()
"""Class bits of each byte."""

_WORD_END, _ANY_END = ord(" "), ord("*")


def word_list(words: str) -> np.ndarray:
    """Words in lower case, separated by spaces, as kernels take them: uint8.

    No letter may follow a word, except one with `*` at its end.
    """
    return np.frombuffer(" ".join(words.split()).encode() + b" ", dtype=np.uint8)


@inline_kernel
def byte_at(data, at, end):
    """The byte at `at`, 0 at the end."""
    return data[at] if at < end else np.uint8(0)


@inline_kernel
def byte_before(data, at, floor):
    """The byte before `at`, 0 at the floor."""
    return data[at - 1] if at > floor else np.uint8(0)


@kernel
def run_end(data, at, end, mask):
    """Where the run of bytes of a class that starts at `at` ends."""
    while at < end and CLASSES[data[at]] & mask:
        at += 1
    return at


@kernel
def number(data, at, stop):
    """The number that the digits `data[at:stop]` write."""
    value = 0
    for index in range(at, stop):
        value = value * 10 + data[index] - 48
    return value


@kernel
def any_of(byte, characters):
    """Whether a byte is one of these."""
    index = 0
    while index < len(characters) and byte != characters[index]:
        index += 1
    return index < len(characters)


@kernel
def literal_at(data, at, end, text):
    """Whether exactly this ASCII text stands at `at`."""
    if at + len(text) > end:
        return False
    index = 0
    while index < len(text) and data[at + index] == text[index]:
        index += 1
    return index == len(text)


@kernel
def starts_apart(data, at, floor):
    """Whether a number may start here: not inside a word, behind its hyphen, or behind a decimal point."""
    before = byte_before(data, at, floor)
    if CLASSES[before] & ALNUM or before == ord("_"):
        return False
    if before == ord("-"):
        return CLASSES[byte_before(data, at - 1, floor)] & ALNUM == 0
    return before != ord(".") or CLASSES[byte_before(data, at - 1, floor)] & DIGIT == 0


@kernel
def ends_apart(data, stop, end):
    """Whether a number may end here: the same to its right, and no email address goes on."""
    after = byte_at(data, stop, end)
    if (
        CLASSES[after] & ALNUM
        or after == ord("_")
        or after == ord("@")
        or after == ord("%")
        or after == ord("+")
    ):
        return False
    if after == ord("-"):
        return CLASSES[byte_at(data, stop + 1, end)] & ALNUM == 0
    return after != ord(".") or CLASSES[byte_at(data, stop + 1, end)] & DIGIT == 0


@kernel
def is_random(data, at, stop, fewest):
    """Whether at least so many characters differ, and two kinds of digits, capitals, small letters occur."""
    low = high = np.uint64(0)
    kinds = 0
    for index in range(at, stop):
        kinds |= CLASSES[data[index]]
        bit = np.uint64(1) << np.uint64(data[index] & 63)
        if data[index] < 64:
            low |= bit
        else:
            high |= bit
    mixed = (kinds & DIGIT != 0) + (kinds & UPPER != 0) + (kinds & LOWER != 0)
    return mixed >= 2 and count_ones(low) + count_ones(high) >= fewest


@kernel
def fold(point):
    """A Latin or Russian letter in lower case."""
    if 65 <= point <= 90 or 0x410 <= point <= 0x42F:
        return point + 32
    return point


@kernel
def is_letter(point):
    """Whether a code point is a Latin or Cyrillic letter."""
    return 97 <= point | 32 <= 122 or 0x400 <= point <= 0x52F


@kernel
def word_at(data, at, end, words):
    """Where a word of the list ends that stands at `at` in any case; -1 if none does. See `word_list`."""
    first = 0
    while first < words.size:
        here = at
        index = first
        while words[index] != _WORD_END and words[index] != _ANY_END:
            if here >= end or fold(decode(data, here, end)) != decode(words, index, words.size):
                break
            here = step(data, here, end)
            index = step(words, index, words.size)
        if words[index] == _ANY_END:
            return here
        if words[index] == _WORD_END and (here == end or not is_letter(decode(data, here, end))):
            return here
        while words[index] != _WORD_END:
            index += 1
        first = index + 1
    return -1


@kernel
def word_before(data, at, floor, words):
    """Where a word of the list, in ASCII, starts that ends before `at` in any case; -1 if none does."""
    last = words.size - 1
    while last > 0:
        here = at
        index = last - 1
        while index >= 0 and words[index] != _WORD_END:
            if here <= floor or fold(data[here - 1]) != words[index]:
                break
            here -= 1
            index -= 1
        if index < 0 or words[index] == _WORD_END:
            return here
        while index >= 0 and words[index] != _WORD_END:
            index -= 1
        last = index
    return -1


@kernel
def cyrillic_before(data, at, floor, reach):
    """Whether a Cyrillic letter stands at most `reach` bytes before `at`, with no digit or mask between."""
    low = max(floor, at - reach)
    here = at
    while here > low:
        here = step_back(data, here, low)
        if CLASSES[data[here]] & DIGIT or data[here] == ord("<") or data[here] == ord(">"):
            return False
        if 0x400 <= decode(data, here, at) <= 0x52F:
            return True
    return False


@kernel
def context_before(data, at, floor, reach, words):
    """Whether a word of the list stands shortly before `at`.

    The search ends `reach` bytes before, and at digits and masks.
    """
    low = max(floor, at - reach)
    here = at
    while here > low:
        here = step_back(data, here, low)
        if CLASSES[data[here]] & DIGIT or data[here] == ord("<") or data[here] == ord(">"):
            return False
        if byte_before(data, here, floor) == ord("_") or (
            here > floor and is_letter(decode(data, step_back(data, here, floor), here))
        ):
            continue
        if word_at(data, here, at, words) >= 0:
            return True
    return False

"""ASCII in a text: where it ends, and fixed phrases of it in any case."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.characters import HIGH_BITS
from filters.text.hashing import load64
from filters.text.kernel import kernel
from filters.text.vectors import WIDTH, bytes_equal_in_any_case, trailing_zeros


@kernel
def ascii_end(data, at, end):
    """The position of the first byte in `data[at:end]` that is not ASCII, eight bytes at a time."""
    while at + 8 <= end:
        found = load64(data, at) & HIGH_BITS
        if found:
            return at + (trailing_zeros(found) >> 3)
        at += 8
    while at < end and data[at] < 0x80:
        at += 1
    return at


@kernel
def starts_with(data, at, end, phrase):
    """Whether `data[at:end]` starts with a phrase of ASCII whose letters are lower-case, in any case."""
    if at + len(phrase) > end:
        return False
    index = 0
    while index < len(phrase) and _lower(data[at + index]) == phrase[index]:
        index += 1
    return index == len(phrase)


@kernel
def find_phrase(data, at, end, phrase):
    """The position of the first such phrase in `data[at:end]`; `end` if there is none."""
    last = len(phrase) - 1
    while at + last < end:
        if at + last + WIDTH > data.size:
            if starts_with(data, at, end, phrase):
                return at
            at += 1
            continue
        places = bytes_equal_in_any_case(data, at, phrase[0])
        places &= bytes_equal_in_any_case(data, at + last, phrase[last])
        while places:
            place = at + trailing_zeros(places)
            if starts_with(data, place, end, phrase):
                return place
            places &= places - np.uint64(1)
        at += WIDTH
    return end


@kernel
def _lower(byte):
    return byte + 32 if 65 <= byte <= 90 else byte

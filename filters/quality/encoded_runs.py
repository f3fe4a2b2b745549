r"""Runs of encoded data: base64, hexadecimal bytes, `\u` escapes.

The expressions are those of Lozhkov et al. 2024, "StarCoder 2 and The Stack v2", arXiv 2402.19173, section
2.1. Each matches only long runs of few kinds of bytes, so most positions are never looked at.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.characters import WORD, class_before, decode
from filters.text.kernel import kernel

_SHORTEST_BASE64 = 64
_FEWEST_HEX = 8
_SHORTEST_HEX = 3 * _FEWEST_HEX - 1
_FEWEST_ESCAPES = 8
_ESCAPE = 6

_HEX_DIGITS = "0123456789abcdefABCDEF"
_WHITE_SPACE = " \t\n\r\x0b\x0c"
_KINDS = {
    1: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\n=",
    2: _HEX_DIGITS,
    4: _HEX_DIGITS + "xX\\," + _WHITE_SPACE,
    8: _HEX_DIGITS + "u\\",
    16: _WHITE_SPACE,
}
_BASE64, _HEX, _IN_HEX_RUN, _IN_ESCAPES, _SPACE = _KINDS
_KIND = np.array(
    [sum(kind for kind, members in _KINDS.items() if chr(byte) in members) for byte in range(256)],
    dtype=np.uint8,
)
"""Kinds of each byte, as bits."""


@kernel
def measure_encoded_runs(data, begin, end, classes):
    """Characters in the runs of each encoding, and those of the longest run."""
    base64, longest_base64 = _base64(data, begin, end)
    hexadecimal, longest_hexadecimal = _hexadecimal(data, begin, end, classes)
    escapes, longest_escapes = _unicode_escapes(data, begin, end)
    longest = max(longest_base64, longest_hexadecimal, longest_escapes)
    return base64 + hexadecimal + escapes, longest


@kernel
def _next_run(data, begin, end, kind, shortest):
    """The next run of at least so many bytes of a kind in `data[begin:end]`; at `end` if there is none.

    A run covers a position in every `shortest`: the others are looked at only beside one of the kind.
    """
    low = begin
    at = low + shortest - 1
    while at < end:
        stop = at
        while stop < end and _KIND[data[stop]] & kind:
            stop += 1
        if stop > at:
            start = at
            while start > low and _KIND[data[start - 1]] & kind:
                start -= 1
            if stop - start >= shortest:
                return start, stop
        low = max(stop, at + 1)
        at = low + shortest - 1
    return end, end


@kernel
def _base64(data, begin, end):
    r"""Characters matched by `[a-zA-Z0-9+/\n=]{64,}`, and of the longest match."""
    total = longest = 0
    start, stop = _next_run(data, begin, end, _BASE64, _SHORTEST_BASE64)
    while start < stop:
        total += stop - start
        longest = max(longest, stop - start)
        start, stop = _next_run(data, stop, end, _BASE64, _SHORTEST_BASE64)
    return total, longest


@kernel
def _hexadecimal(data, begin, end, classes):
    r"""Characters matched by `(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}`, and of the longest match."""
    total = longest = 0
    start, stop = _next_run(data, begin, end, _IN_HEX_RUN, _SHORTEST_HEX)
    while start < stop:
        size, most = _hexadecimal_units(data, start, stop, begin, end, classes)
        total += size
        longest = max(longest, most)
        start, stop = _next_run(data, stop, end, _IN_HEX_RUN, _SHORTEST_HEX)
    return total, longest


@kernel
def _hexadecimal_units(data, low, high, begin, end, classes):
    """The same in `data[low:high]`, all characters of which may be part of a match."""
    total = longest = 0
    at = low
    while at < high:
        start = at
        units = 0
        after = _hexadecimal_unit(data, at, high, begin, end, classes)
        while after > at:
            at = after
            units += 1
            after = _hexadecimal_unit(data, at, high, begin, end, classes)
        if units >= _FEWEST_HEX:
            total += at - start
            longest = max(longest, at - start)
        elif units == 0:
            at += 1
    return total, longest


@kernel
def _hexadecimal_unit(data, at, high, begin, end, classes):
    """The end of the byte written at `at` with what separates it from the next, or `at` if there is none."""
    if not _boundary(data, at, begin, end, classes):
        return at
    digits = at
    if at + 2 < high and data[at + 1] == ord("x") and (data[at] == ord("0") or data[at] == ord("\\")):
        digits = at + 2
    if digits + 2 > high or not _KIND[data[digits]] & _KIND[data[digits + 1]] & _HEX:
        return at
    after = digits + 2
    if after < high and data[after] == ord(","):
        return after + 1
    if not _boundary(data, after, begin, end, classes):
        return at
    while after < high and _KIND[data[after]] & _SPACE:
        after += 1
    return after


@kernel
def _boundary(data, at, begin, end, classes):
    r"""Whether `\b` matches at byte `at`."""
    before = class_before(data, at, begin, classes) & WORD != 0
    behind = at < end and classes[decode(data, at, end)] & WORD != 0
    return before != behind


@kernel
def _unicode_escapes(data, begin, end):
    r"""Characters matched by `(?:\\u[0-9a-fA-F]{4}){8,}`, and of the longest match."""
    total = longest = 0
    start, stop = _next_run(data, begin, end, _IN_ESCAPES, _FEWEST_ESCAPES * _ESCAPE)
    while start < stop:
        while start < stop:
            units = 0
            while _is_escape(data, start + units * _ESCAPE, stop):
                units += 1
            if units >= _FEWEST_ESCAPES:
                total += units * _ESCAPE
                longest = max(longest, units * _ESCAPE)
            start += max(units * _ESCAPE, 1)
        start, stop = _next_run(data, stop, end, _IN_ESCAPES, _FEWEST_ESCAPES * _ESCAPE)
    return total, longest


@kernel
def _is_escape(data, at, end):
    if at + _ESCAPE > end or data[at] != ord("\\") or data[at + 1] != ord("u"):
        return False
    return (_KIND[data[at + 2]] & _KIND[data[at + 3]] & _KIND[data[at + 4]] & _KIND[data[at + 5]] & _HEX) != 0

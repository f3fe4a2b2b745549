"""What a line is. Two definitions: between newlines, which most filters use, and `str.splitlines`."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.characters import (
    LINE_BREAK,
    SPACE,
    class_at,
    class_before,
    count_characters,
    find_byte,
    skip_space,
    step,
    step_back,
)
from filters.text.hashing import hash_bytes
from filters.text.kernel import inline_kernel, kernel
from filters.text.vectors import WIDTH, bytes_within, trailing_zeros

LINE = np.dtype(
    [
        ("hash", np.uint64),  # of its bytes, never 0
        ("start", np.int32),  # first byte, from the start of the document
        ("end", np.int32),  # the newline behind it, or the end of the document
        ("length", np.int32),  # characters
        ("blank", np.bool_),  # of white space alone, or empty
    ],
    align=True,
)


_break_starts = bytes_within((10, 13), (28, 30), (0xC2, 0xC2), (0xE2, 0xE2))
"""Bytes that line breaks start with."""


@kernel
def newline_lines(data, begin, end, classes, lines):
    """Writes one `LINE` for each part between newlines, as `str.split` makes them; returns their number."""
    count = 0
    start = begin
    while start <= end:
        stop = find_byte(data, start, end, 10)
        line = lines[count]
        line.hash = hash_bytes(data, start, stop)
        line.start = start - begin
        line.end = stop - begin
        line.length = count_characters(data, start, stop)
        line.blank = skip_space(data, start, stop, classes) == stop
        count += 1
        start = stop + 1
    return count


@kernel
def strip_right(data, begin, end, classes):
    """Where `data[begin:end]` ends without the white space behind."""
    while begin < end and class_before(data, end, begin, classes) & SPACE:
        end = step_back(data, end, begin)
    return end


@inline_kernel
def line_end(data, at, end, classes):
    """Where the line from `at` on ends, and where the next begins, as `str.splitlines` has them."""
    while at < end:
        if at + WIDTH <= data.size:
            found = _break_starts(data, at)
            at = min(at + trailing_zeros(found), end)
            if not found:
                continue
        if at < end and class_at(data, at, end, classes) & LINE_BREAK:
            after = step(data, at, end)
            if data[at] == 13 and after < end and data[after] == 10:
                after += 1
            return at, after
        at += 1
    return end, end


@kernel
def line_ends_between(data, begin, end, classes):
    """Lines that end in `data[begin:end]`, as `str.splitlines` counts them."""
    lines = 0
    at = begin
    while at < end:
        stop, at = line_end(data, at, end, classes)
        lines += stop < end
    return lines

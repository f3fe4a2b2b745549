"""What a line is. Two definitions: between newlines, which most filters use, and `str.splitlines`."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.characters import (
    LINE_BREAK,
    SPACE,
    class_at,
    class_before,
    count_characters,
    find_byte,
    step,
    step_back,
)
from filters.hashing import hash_bytes
from filters.kernel import kernel

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


@kernel
def count_newlines(data, begin, end):
    """Newlines in `data[begin:end]`."""
    found = 0
    for at in range(begin, end):
        found += data[at] == 10
    return found


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
        line.blank = strip_left(data, start, stop, classes) == stop
        count += 1
        start = stop + 1
    return count


@kernel
def strip_left(data, begin, end, classes):
    """Where `data[begin:end]` starts without the white space in front."""
    while begin < end and class_at(data, begin, end, classes) & SPACE:
        begin = step(data, begin, end)
    return begin


@kernel
def strip_right(data, begin, end, classes):
    """Where `data[begin:end]` ends without the white space behind."""
    while begin < end and class_before(data, end, begin, classes) & SPACE:
        end = step_back(data, end, begin)
    return end


@kernel
def count_lines(data, begin, end, classes):
    """Lines of a text as `str.splitlines` counts them."""
    lines = line_ends_between(data, begin, end, classes)
    return lines + (begin < end and class_before(data, end, begin, classes) & LINE_BREAK == 0)


@kernel
def line_ends_between(data, begin, end, classes):
    """Lines that end in the white space `data[begin:end]`, as `str.splitlines` counts them."""
    lines = 0
    at = begin
    while at < end:
        if class_at(data, at, end, classes) & LINE_BREAK:
            lines += 1
            if data[at] == 13 and at + 1 < end and data[at + 1] == 10:
                at += 1
        at = step(data, at, end)
    return lines

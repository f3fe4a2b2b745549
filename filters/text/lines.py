"""Lines, by two definitions: between newlines, which most filters use, and as `str.splitlines` has them."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.characters import (
    SPACE,
    class_before,
    count_characters,
    find_byte,
    find_line_break,
    skip_space,
    step,
    step_back,
)
from filters.text.hashing import hash_bytes
from filters.text.kernel import inline_kernel, kernel

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
    stop = find_line_break(data, at, end, classes)
    after = step(data, stop, end) if stop < end else end
    if after < end and data[stop] == 13 and data[after] == 10:
        after += 1
    return stop, after


@kernel
def line_ends_between(data, begin, end, classes):
    """Lines that end in `data[begin:end]`, as `str.splitlines` counts them."""
    lines = 0
    at = begin
    while at < end:
        stop, at = line_end(data, at, end, classes)
        lines += stop < end
    return lines

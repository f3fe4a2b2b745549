"""Lines that end with a newline and no blanks, so that no verdict hangs on a file's line ends.

The line breaks are those that Unicode calls mandatory (UAX 14): CR LF, CR, LF, vertical tab, form feed, next
line (U+0085), line and paragraph separator (U+2028, U+2029). Blanks are white space, and spaces of no width
(U+200B, U+2060, U+FEFF), which nobody sees at the end of a line.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.text.characters import SPACE, append, character_classes, decode, step, step_back
from filters.text.kernel import inline_kernel, kernel
from filters.text.texts import Edited, Texts, text_array, text_buffers
from filters.text.vectors import WIDTH, bytes_equal, bytes_within, trailing_zeros

_DONE = ("line_breaks", "trailing_blanks", "nulls", "byte_order_marks")
_BREAKS, _BLANKS, _NULLS, _MARKS = range(4)
_NEWLINE, _RETURN = 10, 13
_ZERO_WIDTH = (0x200B, 0x2060, 0xFEFF)

_controls = bytes_within((0, 0), (10, 13))
_separators = bytes_within((0xA8, 0xA9))


def normalize(texts: Texts) -> Edited:
    """Makes line breaks newlines, and removes blanks at line ends, NUL, and byte order marks at the start.

    What has none of these is not copied.

    Args:
        texts: A string or large_string column without nulls.

    Returns:
        The texts; `line_breaks` that became newlines, `trailing_blanks`: lines that lost some, `nulls`,
        `byte_order_marks`.
    """
    data, offsets = text_buffers(texts)
    classes = character_classes()
    done = np.zeros(len(_DONE), dtype=np.int64)
    if _are_normal(data, offsets, classes):
        normal = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
    else:
        new_offsets = np.zeros(len(offsets), dtype=np.int64)
        edited = np.empty(int(offsets[-1] - offsets[0]), dtype=np.uint8)
        _normalize(data, offsets, classes, edited, new_offsets, done)
        normal = text_array(edited, new_offsets)
    return Edited(normal, dict(zip(_DONE, done.tolist(), strict=True)))


@kernel
def _are_normal(data, offsets, classes):
    """Whether no document has anything to change."""
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        stop, line = _find_change(data, begin, end, classes, True)
        if stop < end or _is_blank_before(data, end, line, classes) or _byte_order_mark(data, begin, end):
            return False
    return True


@kernel
def _normalize(data, offsets, classes, edited, new_offsets, done):
    """Writes the normal documents end to end into `edited`, and where each begins into `new_offsets`."""
    size = 0
    for document in range(offsets.size - 1):
        first = line = size
        at, end = offsets[document], offsets[document + 1]
        while at < end:
            while size == first and _byte_order_mark(data, at, end):
                at += 3
                done[_MARKS] += 1
            stop, start = _find_change(data, at, end, classes, line == size)
            line = size + start - at if start > at else line
            size = append(data, at, stop, edited, size)
            at = stop
            if at < end and data[at] == 0:
                done[_NULLS] += 1
                at += 1
            elif at < end:
                size = _strip(edited, line, size, classes, done)
                at = _behind_break(data, at, end, done)
                edited[size] = _NEWLINE
                size += 1
                line = size
        size = _strip(edited, line, size, classes, done)
        new_offsets[document + 1] = size


@kernel
def _find_change(data, at, end, classes, line_starts):
    """The first NUL, or line break with blanks or other than a newline, else `end`; and its line's start.

    `line_starts`: whether a line starts at `at`. Else its blanks may stand before `at`.
    """
    line = at
    while True:
        stop = _find_special(data, line, end)
        empty = stop == at and not line_starts
        if stop == end or data[stop] != _NEWLINE or empty or _is_blank_before(data, stop, line, classes):
            return stop, line
        line = stop + 1


@kernel
def _find_special(data, at, end):
    """The position of the first line break or NUL in `data[at:end]`; else `end`."""
    while at < end and at + WIDTH + 2 <= data.size:
        found = _controls(data, at)
        found |= bytes_equal(data, at, 0xC2) & bytes_equal(data, at + 1, 0x85)
        found |= bytes_equal(data, at, 0xE2) & bytes_equal(data, at + 1, 0x80) & _separators(data, at + 2)
        if found:
            return min(at + trailing_zeros(found), end)
        at += WIDTH
    while at < end:
        point = decode(data, at, end)
        if point == 0 or 10 <= point <= 13 or point == 0x85 or point == 0x2028 or point == 0x2029:
            return at
        at = step(data, at, end)
    return end


@kernel
def _behind_break(data, at, end, done):
    """Where the next line begins behind the line break at `at`. NUL between CR and LF is counted, too."""
    done[_BREAKS] += data[at] != _NEWLINE
    if data[at] != _RETURN:
        return step(data, at, end)
    after = at + 1
    while after < end and data[after] == 0:
        after += 1
    if after == end or data[after] != _NEWLINE:
        return at + 1
    done[_NULLS] += after - at - 1
    return after + 1


@inline_kernel
def _byte_order_mark(data, at, end):
    return at + 3 <= end and data[at] == 0xEF and data[at + 1] == 0xBB and data[at + 2] == 0xBF


@kernel
def _strip(edited, line, size, classes, done):
    """Where the line that starts at `line` ends without the blanks behind."""
    stop = size
    while _is_blank_before(edited, stop, line, classes):
        stop = step_back(edited, stop, line)
    done[_BLANKS] += stop < size
    return stop


@inline_kernel
def _is_blank_before(data, at, begin, classes):
    """Whether the character that ends at byte `at` is a blank."""
    if at <= begin:
        return False
    point = decode(data, step_back(data, at, begin), at)
    return classes[point] & SPACE != 0 or point in _ZERO_WIDTH

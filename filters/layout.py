"""Signals of a document's size: bytes, characters, words, lines."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.characters import LINE_BREAK, class_at, step
from filters.kernel import kernel
from filters.signal import count

SIGNALS = (
    count("bytes", "Bytes of UTF-8."),
    count("characters", "Unicode code points."),
    count("words", "Words by the chosen definition; with `unicode`, punctuation marks are words too."),
    count("lines", "Lines as str.splitlines counts them."),
)


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

"""Signals of FineWeb's own rules (Penedo et al. 2024, arXiv 2406.17557, section 3.6), counted as datatrove does."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.characters import (
    RUSSIAN_TERMINAL,
    SPACE,
    TERMINAL,
    class_at,
    class_before,
    count_characters,
    step,
)
from filters.hashing import find_slot, hash_bytes, slots_for
from filters.kernel import kernel
from filters.signal import ratio

SIGNALS = (
    ratio("punctuated_line_fraction", "Lines that end with a terminal mark, of those that are not blank."),
    ratio(
        "punctuated_line_fraction_ru", "The same with closing quotes, ellipsis, colon and semicolon as well."
    ),
    ratio("short_line_fraction", "Lines of at most 30 characters, of those that are not blank."),
    ratio(
        "dup_nonblank_line_char_fraction", "Characters of lines met before, of all characters but newlines."
    ),
    ratio("newlines_per_word", "Newlines per word."),
)

_SHORT_LINE = 30


@kernel
def fineweb(data, begin, end, classes, characters, count, scratch, row):
    """Fills `row` with the signals above."""
    newlines = 0
    for at in range(begin, end):
        newlines += data[at] == 10
    mask = slots_for(newlines + 1) - 1
    seen = scratch.table[: mask + 1]
    seen[:] = 0
    lines = punctuated = punctuated_russian = short = repeated_characters = 0
    start = begin
    while start < end:
        stop = start
        while stop < end and data[stop] != 10:
            stop += 1
        if not _is_blank(data, start, stop, classes):
            lines += 1
            last = class_before(data, stop, start, classes)
            punctuated += last & TERMINAL != 0
            punctuated_russian += last & RUSSIAN_TERMINAL != 0
            length = count_characters(data, start, stop)
            short += length <= _SHORT_LINE
            key = hash_bytes(data, start, stop)
            slot = find_slot(seen, mask, key)
            if seen[slot]:
                repeated_characters += length
            seen[slot] = key
        start = stop + 1
    row[0] = punctuated / max(lines, 1)
    row[1] = punctuated_russian / max(lines, 1)
    row[2] = short / max(lines, 1)
    row[3] = repeated_characters / max(characters - newlines, 1)
    row[4] = newlines / max(count, 1)


@kernel
def _is_blank(data, start, stop, classes):
    at = start
    while at < stop:
        if not class_at(data, at, stop, classes) & SPACE:
            return False
        at = step(data, at, stop)
    return True

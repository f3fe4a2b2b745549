"""Texts as fastText classifiers are usually given them: lower case, punctuation apart, one line.

As in the tutorial of the official library, and for all of Unicode: each character becomes lower-case, each
punctuation mark stands between blanks, each run of white space is one blank.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.text.characters import PUNCTUATION, SPACE, character_classes, decode, step
from filters.text.folding import lower_case
from filters.text.kernel import kernel
from filters.text.texts import Texts, text_array, text_buffers

VERSION = 1

_GROWTH = 3
"""A byte becomes three at most: a punctuation mark between blanks."""
_ENCODED = 4


def plain_words(texts: Texts) -> pa.LargeStringArray:
    """The prepared texts."""
    buffers = text_buffers(texts)
    size = int(buffers.offsets[-1] - buffers.offsets[0])
    data = np.empty(_GROWTH * size + _ENCODED, np.uint8)
    offsets = np.zeros(len(buffers.offsets), np.int64)
    _prepare(buffers.data, buffers.offsets, character_classes(), lower_case(), data, offsets)
    return text_array(data, offsets)


@kernel
def _prepare(data, offsets, classes, lower, out, out_offsets):
    """Fills `out` and `out_offsets`."""
    put = 0
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
        blank = True
        while at < end:
            byte = data[at]
            if 97 <= byte <= 122:
                out[put] = byte
                put += 1
                at += 1
                blank = False
                continue
            point = decode(data, at, end)
            kind = classes[point]
            at = step(data, at, end)
            if kind & (SPACE | PUNCTUATION) and not blank:
                out[put] = 32
                put += 1
                blank = True
            if kind & SPACE:
                continue
            put = _encode(lower[point], out, put)
            blank = False
            if kind & PUNCTUATION:
                out[put] = 32
                put += 1
                blank = True
        out_offsets[document + 1] = put


@kernel
def _encode(point, out, put):
    """Writes a code point as UTF-8; returns the position behind it."""
    if point < 0x80:
        out[put] = point
        return put + 1
    if point < 0x800:
        out[put] = 0xC0 | point >> 6
        out[put + 1] = 0x80 | point & 0x3F
        return put + 2
    if point < 0x10000:
        out[put] = 0xE0 | point >> 12
        out[put + 1] = 0x80 | point >> 6 & 0x3F
        out[put + 2] = 0x80 | point & 0x3F
        return put + 3
    out[put] = 0xF0 | point >> 18
    out[put + 1] = 0x80 | point >> 12 & 0x3F
    out[put + 2] = 0x80 | point >> 6 & 0x3F
    out[put + 3] = 0x80 | point & 0x3F
    return put + 4

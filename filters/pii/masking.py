"""Masks in the place of personal data and secrets."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.kernel import driver, kernel
from filters.pii.kinds import ALL, KINDS, wanted_kinds
from filters.pii.scan import next_span
from filters.pii.top_level_domains import top_level_domains
from filters.texts import Texts, text_array, text_buffers

SPAN = np.dtype([("start", np.int64), ("end", np.int64), ("kind", np.int64)])
"""Something that was found: its first byte, the byte behind its last, its place in `KINDS`."""

_MASKS = np.frombuffer("".join(kind.mask for kind in KINDS).encode(), dtype=np.uint8)
_MASK_ENDS = np.cumsum([0] + [len(kind.mask) for kind in KINDS])


class Masked(NamedTuple):
    """Texts with masks and what they stand for."""

    texts: pa.LargeStringArray
    counts: dict[str, int]
    """How many masks were put for each of the kinds that were asked for, by name."""


def mask_pii(texts: Texts, kinds: Collection[str] = ALL) -> Masked:
    """Replaces personal data and secrets by masks such as `<email>`; all else stays as it is, byte by byte.

    Masking again changes nothing. See `filters.pii.kinds` for the kinds and their masks, and the file of each
    kind for what is found and where that comes from.

    Args:
        texts: A string or large_string column without nulls.
        kinds: Names of the kinds to mask.

    Raises:
        ValueError: A text is null or of 2 GiB or more, or a kind is unknown.
    """
    wanted = wanted_kinds(kinds)
    buffers = text_buffers(texts)
    spans = _find(buffers.data, buffers.offsets, wanted, top_level_domains())
    found = np.bincount(spans["kind"], minlength=len(KINDS))
    sizes = np.diff(_MASK_ENDS)
    size = int(
        buffers.offsets[-1]
        - buffers.offsets[0]
        - (spans["end"] - spans["start"]).sum()
        + (found * sizes).sum()
    )
    masked = np.empty(size, dtype=np.uint8)
    offsets = np.zeros(len(buffers.offsets), dtype=np.int64)
    _write(buffers.data, buffers.offsets, spans, masked, offsets)
    counts = {kind.name: int(number) for kind, number in zip(KINDS, found, strict=True) if kind.name in kinds}
    return Masked(text_array(masked, offsets), counts)


@driver
def _find(data, offsets, wanted, domains):
    """What is found in all documents, in the order of the bytes."""
    spans = np.empty(256, dtype=SPAN)
    count = 0
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
        while True:
            start, stop, kind = next_span(data, at, end, wanted, domains)
            if stop == 0:
                break
            if count == spans.size:
                more = np.empty(2 * count, dtype=SPAN)
                more[:count] = spans
                spans = more
            spans[count].start = start
            spans[count].end = stop
            spans[count].kind = kind
            count += 1
            at = stop
    return spans[:count]


@kernel
def _write(data, offsets, spans, masked, new_offsets):
    """Writes the documents with masks end to end, and where each ends."""
    size = 0
    span = 0
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
        while span < spans.size and spans[span].start < end:
            size = _append(data, at, spans[span].start, masked, size)
            kind = spans[span].kind
            size = _append(_MASKS, _MASK_ENDS[kind], _MASK_ENDS[kind + 1], masked, size)
            at = spans[span].end
            span += 1
        size = _append(data, at, end, masked, size)
        new_offsets[document + 1] = size


@kernel
def _append(data, at, end, masked, size):
    """Writes `data[at:end]` behind what there is; returns the new size."""
    for index in range(end - at):
        masked[size + index] = data[at + index]
    return size + end - at

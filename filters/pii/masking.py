"""Masks in the place of personal data and secrets."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.pii.kinds import ALL, KINDS
from filters.pii.spans import find_spans
from filters.text.characters import append
from filters.text.kernel import kernel
from filters.text.texts import Buffers, Texts, text_buffers

_MASKS = np.frombuffer("".join(kind.mask for kind in KINDS).encode(), dtype=np.uint8)
_MASK_ENDS = np.cumsum([0] + [len(kind.mask) for kind in KINDS])


class Masked(NamedTuple):
    """Masked texts, and how many masks of each kind they have."""

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
    buffers = text_buffers(texts)
    spans = find_spans(buffers.data, buffers.offsets[:-1], buffers.offsets[1:], kinds)
    found = np.bincount(spans["kind"], minlength=len(KINDS))
    counts = {kind.name: int(number) for kind, number in zip(KINDS, found, strict=True) if kind.name in kinds}
    return Masked(_masked(buffers, spans), counts)


def _masked(buffers: Buffers, spans: np.ndarray) -> pa.LargeStringArray:
    """The documents with masks in the place of the spans."""
    data, offsets = buffers
    growth = np.cumsum(np.diff(_MASK_ENDS)[spans["kind"]] - (spans["end"] - spans["start"]))
    before = np.searchsorted(spans["start"], offsets)
    moved = offsets - offsets[0] + np.concatenate(([0], growth))[before]
    masked = np.empty(int(moved[-1]), dtype=np.uint8)
    _write(data[offsets[0] : offsets[-1]], spans, offsets[0], masked)
    return pa.LargeStringArray.from_buffers(len(moved) - 1, pa.py_buffer(moved), pa.py_buffer(masked))


@kernel
def _write(data, spans, first, masked):
    """Writes the bytes, of which the first has the position `first`, with masks in the place of the spans."""
    size = at = 0
    for span in spans:
        size = append(data, at, span.start - first, masked, size)
        size = append(_MASKS, _MASK_ENDS[span.kind], _MASK_ENDS[span.kind + 1], masked, size)
        at = span.end - first
    append(data, at, data.size, masked, size)

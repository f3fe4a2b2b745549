"""Arrow text columns as the flat buffers that kernels read."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

Texts: TypeAlias = "pa.LargeStringArray | pa.StringArray | pa.ChunkedArray"

_LONGEST_DOCUMENT = 2**31 - 1


class Buffers(NamedTuple):
    """Documents laid end to end: document `i` is `data[offsets[i]:offsets[i + 1]]`."""

    data: np.ndarray
    """UTF-8 bytes: uint8."""
    offsets: np.ndarray
    """int64, one more than there are documents."""


def text_buffers(texts: Texts) -> Buffers:
    """The buffers of a text column, without a copy where it is one large_string array.

    Raises:
        ValueError: A document is null, or of 2 GiB or more.
        TypeError: The column is not text.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.chunk(0) if texts.num_chunks == 1 else texts.cast(pa.large_string()).combine_chunks()
    if not (pa.types.is_large_string(texts.type) or pa.types.is_string(texts.type)):
        raise TypeError(f"Texts must be a string or large_string column, not {texts.type}.")
    if texts.null_count:
        row = int(np.flatnonzero(texts.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(f"Row {row} has no text. Drop rows without text before computing signals.")
    if pa.types.is_string(texts.type):
        texts = texts.cast(pa.large_string())
    _, offset_buffer, data_buffer = texts.buffers()
    if len(texts) == 0:
        return Buffers(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)
    sizes = np.diff(offsets)
    if sizes.max() > _LONGEST_DOCUMENT:
        raise ValueError(
            f"Row {int(sizes.argmax())} has {int(sizes.max())} bytes. Split documents of 2 GiB or more."
        )
    return Buffers(data, offsets)


def text_array(data: np.ndarray, offsets: np.ndarray) -> pa.LargeStringArray:
    """The large_string array over these buffers; `data` may be longer than what `offsets` use."""
    used = np.array(data[: offsets[-1]])
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(used))


class Edited(NamedTuple):
    """Edited texts, and counts of the edits by name."""

    texts: pa.LargeStringArray
    counts: dict[str, int]


def replaced(texts: Texts, rows: np.ndarray, new: list[str] | pa.Array) -> pa.LargeStringArray:
    """The texts with those of `rows` replaced, in that order."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    whole = pa.concat_arrays([pa.array([], pa.large_string()), *(c.cast(pa.large_string()) for c in chunks)])
    if len(rows) == 0:
        return whole
    index = np.arange(len(whole))
    index[rows] = len(whole) + np.arange(len(rows))
    new = pa.array(new, pa.large_string()) if isinstance(new, list) else new.cast(pa.large_string())
    return pa.concat_arrays([whole, new]).take(pa.array(index))

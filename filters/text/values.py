"""Values of any kind as bytes: strings, binaries and fixed-size binaries, none of them null."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.text.hashing import hash_bytes
from filters.text.kernel import kernel


def value_hashes(values: pa.Array) -> np.ndarray:
    """A 64-bit hash of the bytes of each value, uint64, never 0."""
    hashes = np.empty(len(values), dtype=np.uint64)
    _hash_values(*bytes_of(values), hashes)
    return hashes


def bytes_of(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all values, and where each begins and the last one ends."""
    values = values.cast(pa.large_binary())
    _, offsets, data = values.buffers()
    bounds = _read_only(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    return _read_only(data or b"", np.uint8), bounds


def _read_only(buffer: pa.Buffer | bytes, kind: type) -> np.ndarray:
    """A buffer's numbers, read-only wherever they come from: kernels are compiled for one type."""
    return np.frombuffer(memoryview(buffer).toreadonly(), dtype=kind)


@kernel
def _hash_values(data, offsets, hashes):
    for index in range(hashes.size):
        hashes[index] = hash_bytes(data, offsets[index], offsets[index + 1])

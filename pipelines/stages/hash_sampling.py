"""Draws by content: which documents are held out, and which are examples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

VERSION = 1
"""To be raised when other documents are drawn."""

Keys = npt.NDArray[np.uint64]


def first_words(hashes: pa.ChunkedArray | pa.FixedSizeBinaryArray) -> Keys:
    """The first eight bytes of each 16-byte hash."""
    arrays = hashes.chunks if isinstance(hashes, pa.ChunkedArray) else [hashes]
    chunks = [
        np.frombuffer(c.buffers()[1], np.uint64)[2 * c.offset :][: 2 * len(c)] for c in arrays if len(c)
    ]
    words = np.concatenate([np.empty(0, np.uint64), *chunks]).reshape(-1, 2)
    return np.ascontiguousarray(words[:, 0])


def mixed(keys: Keys) -> Keys:
    """SplitMix64's finaliser (Steele et al., 2014): spreads keys evenly over 64 bits."""
    with np.errstate(over="ignore"):
        keys = keys + np.uint64(0x9E3779B97F4A7C15)
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return keys ^ (keys >> np.uint64(31))


def held_out_draw(keys: Keys, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each key; a document is held out when it is under the held-out share."""
    draw: npt.NDArray[np.float64] = mixed(keys ^ np.uint64(seed)) / 2.0**64
    return draw


def example_draw(keys: Keys, seed: int) -> Keys:
    """An order of documents that has nothing to do with the draw of held-out ones."""
    return mixed(mixed(keys ^ np.uint64(seed)))

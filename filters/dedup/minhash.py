"""MinHash signatures (Broder 1997) and their bands for locality-sensitive hashing.

A document is the set of its shingles: runs of `ngram` words, where a word is a run of letters, digits and
marks without case and accents (`filters.folding`), and a character by itself in scripts that put no spaces
between words. A document with fewer words than `ngram` has one shingle, all its words; one without words has
none.

Two documents whose shingle sets have Jaccard similarity J agree in a band of `rows` values with probability
J**rows, and so in one of the bands with 1 - (1 - J**rows)**bands: 0.92 at J = 0.8 for 14 bands of 8 rows.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from filters.dedup.shingles import hash_shingles
from filters.text.folding import word_folding
from filters.text.hashing import combine, mix
from filters.text.kernel import driver, kernel
from filters.text.texts import Texts, text_buffers

VERSION = 1

NO_WORDS = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The band key of a document without words, which is a duplicate of nothing."""

_EMPTY = np.uint32(0xFFFFFFFF)


class MinHash(BaseModel):
    """How near-duplicates are found: shingles, signature and bands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ngram: int = Field(default=5, ge=1, description="Words in a shingle.")
    bands: int = Field(default=14, ge=1, description="Bands; one equal band makes a candidate.")
    rows: int = Field(default=8, ge=1, description="Hash values in a band.")
    verify: float = Field(
        default=0.8, gt=0, le=1, description="Smallest true Jaccard similarity of a duplicate."
    )
    seed: int = Field(default=1, ge=0, description="Seed of the hash functions.")

    def signatures(self, texts: Texts) -> pa.FixedSizeListArray:
        """The signature of each text: fixed_size_list<uint32>[bands * rows]; without words all bits set."""
        buffers = text_buffers(texts)
        size = self.bands * self.rows
        generator = np.random.Generator(np.random.PCG64(self.seed))
        multipliers = generator.integers(0, 2**32, size, dtype=np.uint32) | np.uint32(1)
        increments = generator.integers(0, 2**32, size, dtype=np.uint32)
        values = np.full((len(buffers.offsets) - 1, size), _EMPTY)
        _sign(buffers.data, buffers.offsets, word_folding(), self.ngram, multipliers, increments, values)
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), size)

    def band_keys(self, signatures: pa.FixedSizeListArray) -> pa.FixedSizeListArray:
        """The key of each band: fixed_size_list<uint64>[bands]; NO_WORDS where there are no words.

        Raises:
            ValueError: The signatures have another length than `bands * rows`.
        """
        size = self.bands * self.rows
        if signatures.type.list_size != size:
            raise ValueError(
                f"Signatures have {signatures.type.list_size} values, not {self.bands} bands of "
                f"{self.rows} rows. Compute them again with this configuration."
            )
        values = signatures.flatten().to_numpy().reshape(-1, self.bands, self.rows)
        keys = _band_keys(values)
        return pa.FixedSizeListArray.from_arrays(pa.array(keys.ravel()), self.bands)


@driver
def _sign(data, offsets, folding, ngram, multipliers, increments, values):
    """Lowers each row of `values`, uint32 (documents, hashes), to the minima of a document's shingles."""
    shingles = np.empty(1 << 16, dtype=np.uint64)
    for document in range(values.shape[0]):
        begin, end = offsets[document], offsets[document + 1]
        if end - begin > shingles.size:
            shingles = np.empty(2 * (end - begin), dtype=np.uint64)
        count = hash_shingles(data, begin, end, folding, ngram, shingles)
        _lower(shingles[:count], multipliers, increments, values[document])


@kernel
def _lower(shingles, multipliers, increments, minima):
    """Takes shingles into the minima of `multiplier * hash + increment`, permutations of 32-bit numbers."""
    for shingle in shingles:
        key = np.uint32(shingle >> np.uint64(32))
        for index in range(minima.size):
            value = np.uint32(multipliers[index] * key + increments[index])
            minima[index] = min(minima[index], value)


@driver
def _band_keys(values):
    """The hash of each band of `values`, uint32 of shape (documents, bands, rows)."""
    documents, bands, rows = values.shape
    keys = np.empty((documents, bands), dtype=np.uint64)
    for document in range(documents):
        empty = np.all(values[document] == _EMPTY)
        for band in range(bands):
            state = np.uint64(rows)
            for row in range(rows):
                state = combine(state, np.uint64(values[document, band, row]))
            keys[document, band] = NO_WORDS if empty else min(mix(state), NO_WORDS - np.uint64(1))
    return keys

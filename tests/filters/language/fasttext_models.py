"""Writes fastText model files of random numbers, for our reader and the official one."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

HS, NS, SOFTMAX, OVA = 1, 2, 3, 4


@dataclass(frozen=True)
class ModelSpec:
    """What a model of random numbers looks like."""

    words: tuple[str, ...] = ("</s>", "the", "мир", "猫", "house")
    labels: tuple[str, ...] = ("en", "ru", "ja")
    dim: int = 6
    word_ngrams: int = 1
    loss: int = SOFTMAX
    buckets: int = 50
    minn: int = 2
    maxn: int = 4
    kept_buckets: tuple[int, ...] | None = None
    quantised: bool = False
    norms: bool = False
    output_quantised: bool = False
    version: int = 12
    model: int = 3
    seed: int = 0

    def write(self) -> bytes:
        rng = np.random.default_rng(self.seed)
        rows = len(self.words) + (self.buckets if self.kept_buckets is None else len(self.kept_buckets))
        return b"".join(
            [
                struct.pack("<2i", 793712314, self.version),
                struct.pack("<6i", self.dim, 5, 5, 1, 5, self.word_ngrams),
                struct.pack("<6id", self.loss, self.model, self.buckets, self.minn, self.maxn, 100, 1e-4),
                self._dictionary(),
                struct.pack("<?", self.quantised),
                self._matrix(rng, rows, self.dim, 2, self.quantised),
                struct.pack("<?", self.output_quantised),
                self._matrix(rng, len(self.labels), self.dim, 4, self.quantised and self.output_quantised),
            ]
        )

    def _dictionary(self) -> bytes:
        size = len(self.words) + len(self.labels)
        pruned = -1 if self.kept_buckets is None else len(self.kept_buckets)
        labels = [f"__label__{label}" for label in self.labels]
        # Labels are sorted by falling count, unevenly, for a lopsided tree.
        counts = [7] * len(self.words) + [4 * (len(labels) - i) ** 3 for i in range(len(labels))]
        kinds = [0] * len(self.words) + [1] * len(labels)
        kept = self.kept_buckets or ()
        return b"".join(
            [
                struct.pack("<3i2q", size, len(self.words), len(labels), 1000, pruned),
                *(
                    word.encode() + b"\0" + struct.pack("<qb", count, kind)
                    for word, count, kind in zip((*self.words, *labels), counts, kinds, strict=True)
                ),
                *(struct.pack("<2i", bucket, len(kept) - 1 - row) for row, bucket in enumerate(kept)),
            ]
        )

    def _matrix(self, rng: np.random.Generator, rows: int, columns: int, run: int, quantised: bool) -> bytes:
        if not quantised:
            values = rng.normal(size=(rows, columns)).astype(np.float32)
            return struct.pack("<2q", rows, columns) + values.tobytes()
        runs = -(-columns // run)
        codes = rng.integers(0, 256, rows * runs, dtype=np.uint8)
        parts = [
            struct.pack("<?2qi", self.norms, rows, columns, codes.size),
            codes.tobytes(),
            self._centroids(rng, columns, run),
        ]
        if self.norms:
            parts += [rng.integers(0, 256, rows, dtype=np.uint8).tobytes(), self._centroids(rng, 1, 1)]
        return b"".join(parts)

    @staticmethod
    def _centroids(rng: np.random.Generator, columns: int, run: int) -> bytes:
        runs = -(-columns // run)
        last = columns - (runs - 1) * run
        values = rng.normal(size=256 * columns).astype(np.float32)
        return struct.pack("<4i", columns, runs, run, last) + values.tobytes()

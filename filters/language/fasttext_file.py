"""The files of fastText: `.bin` and quantised `.ftz`, as bytes; the format of facebookresearch/fastText 0.9.

A file is a magic number and a version, the arguments of the training, the dictionary, the input matrix (a
row for each word, then for each bucket of hashed n-grams) and the output matrix (a row for each label, or for
each inner node of the tree of labels). A matrix may be quantised (Jégou et al. 2011, "Product quantization
for nearest neighbor search"): a row is then a byte for each few dimensions, which names one of 256 centroids.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from filters.text.kernel import kernel

Matrix: TypeAlias = npt.NDArray[np.float32]

HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
"""Losses, as numbered in the file."""

_MAGIC = 793712314
_NEWEST_VERSION = 12
_SUPERVISED = 3
_CENTROIDS = 256
_LABEL = "__label__"
_MOST_LABELLED = 1e14

_ENTRY = np.dtype(
    [("start", np.int64), ("end", np.int64), ("count", np.int64), ("is_label", np.int64)], align=True
)
"""A word or label of the dictionary: its bytes in the file, and how often it was seen in training."""


class ModelFile(NamedTuple):
    """What a model file says."""

    dim: int
    word_ngrams: int
    loss: int
    buckets: int
    minn: int
    maxn: int
    data: npt.NDArray[np.uint8]
    """The file."""
    entries: npt.NDArray[Any]
    """`_ENTRY`: words, then labels."""
    words: int
    """How many of the entries are words."""
    kept_buckets: npt.NDArray[np.int32] | None
    """In a pruned model (bucket, row behind the words) pairs, shape (n, 2); all other buckets have no row."""
    input: Matrix
    output: Matrix

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, without the prefix `__label__`."""
        return tuple(
            self.data[entry["start"] : entry["end"]].tobytes().decode(errors="replace").removeprefix(_LABEL)
            for entry in self.entries[self.words :]
        )


def parse_model(data: bytes | memoryview) -> ModelFile:
    """Reads a model file; matrices that are not quantised stay views of `data`.

    Raises:
        ValueError: It is no fastText classifier, is cut short or contradicts itself.
    """
    reader = _Reader(data)
    magic, version = reader.numbers("2i")
    if magic != _MAGIC:
        raise ValueError("This is no fastText model: its first four bytes are others.")
    if version > _NEWEST_VERSION:
        raise ValueError(f"This fastText model has format {version}; up to {_NEWEST_VERSION} is understood.")
    dim, _, _, _, _, word_ngrams, loss, model, buckets, minn, maxn, _, _ = reader.numbers("12id")
    if model != _SUPERVISED:
        raise ValueError("This fastText model holds word vectors. Give a classifier, with labels.")
    if version == 11:
        maxn = 0  # Before version 12, classifiers had no character n-grams.
    entries, words, kept_buckets = _dictionary(reader)
    quantised = reader.flag()
    input_matrix = reader.matrix(quantised)
    output_matrix = reader.matrix(reader.flag() and quantised)
    found = ModelFile(
        dim,
        word_ngrams,
        loss,
        buckets,
        minn,
        maxn,
        reader.data,
        entries,
        words,
        kept_buckets,
        input_matrix,
        output_matrix,
    )
    _check(found)
    return found


def _dictionary(reader: _Reader) -> tuple[npt.NDArray[Any], int, npt.NDArray[np.int32] | None]:
    """The entries, how many of them are words, and the buckets that pruning kept."""
    size, words, labels, _, pruned = reader.numbers("<3i2q")
    # An entry has at least ten bytes.
    if not (words >= 0 and labels > 0 and words + labels == size and 10 * size <= reader.left):
        raise ValueError(
            f"This fastText model is damaged: {size} dictionary entries, {words} words and {labels} labels."
        )
    entries = np.zeros(size, _ENTRY)
    behind = _scan_entries(reader.data, reader.at, entries)
    if behind < 0:
        raise reader.cut_short()
    reader.at = behind
    if entries["is_label"][:words].any() or not (entries["is_label"][words:] == 1).all():
        raise ValueError("This fastText model is damaged: words and labels are not in order.")
    if pruned < 0:
        return entries, words, None
    return entries, words, reader.array(np.int32, 2 * pruned).reshape(-1, 2)


@kernel
def _scan_entries(data, at, entries):  # type: ignore[no-untyped-def]
    """Fills `entries` from byte `at` on; returns the byte behind them, -1 where `data` ends before."""
    for entry in entries:
        entry.start = at
        while at < data.size and data[at] != 0:
            at += 1
        entry.end = at
        if at + 10 > data.size:
            return -1
        for index in range(8):
            entry.count |= np.int64(data[at + 1 + index]) << np.int64(8 * index)
        entry.is_label = data[at + 9]
        at += 10
    return at


def _check(model: ModelFile) -> None:
    """Raises ValueError where the parts of a file contradict each other, so that no kernel reads astray."""
    labels = len(model.entries) - model.words
    counts = model.entries["count"][model.words :]
    hashed = model.maxn > 0 or model.word_ngrams > 1
    rows_for_buckets = model.input.shape[0] - model.words
    if model.loss not in (HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL):
        problem = f"loss {model.loss}"
    elif model.dim < 1 or model.input.shape[1] != model.dim or model.output.shape[1] != model.dim:
        problem = f"dimensions {model.dim}, {model.input.shape[1]} and {model.output.shape[1]}"
    elif model.output.shape[0] != labels:
        problem = f"{labels} labels with an output matrix of {model.output.shape[0]} rows"
    elif counts.min() < 0 or counts.astype(np.float64).sum() > _MOST_LABELLED:
        problem = "labels seen less than never or impossibly often"
    elif rows_for_buckets < 0:
        problem = f"{model.words} words with an input matrix of {model.input.shape[0]} rows"
    elif hashed and model.buckets < 1:
        problem = f"{model.buckets} buckets for n-grams"
    elif model.kept_buckets is None:
        if not hashed or rows_for_buckets >= model.buckets:
            return
        problem = f"{model.buckets} buckets with {rows_for_buckets} rows for them"
    elif len(model.kept_buckets) and not (
        model.kept_buckets.min() >= 0
        and model.kept_buckets[:, 0].max() < model.buckets
        and model.kept_buckets[:, 1].max() < rows_for_buckets
    ):
        problem = "kept buckets outside the input matrix"
    else:
        return
    raise ValueError(f"This fastText model is damaged: {problem}.")


class _Reader:
    """Reads the little-endian values of a file one after another."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data: npt.NDArray[np.uint8] = np.frombuffer(data, np.uint8)
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes not read."""
        return self.data.size - self.at

    def cut_short(self) -> ValueError:
        """What to raise where the file ends too early."""
        return ValueError(f"This fastText model is cut short: it ends after {self.data.size} bytes.")

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """Values by the letters of `struct`."""
        values = struct.Struct(f"<{layout.removeprefix('<')}")
        if values.size > self.left:
            raise self.cut_short()
        self.at += values.size
        return values.unpack_from(self.data.data, self.at - values.size)

    def flag(self) -> bool:
        """A boolean."""
        return bool(self.numbers("B")[0])

    def array(self, dtype: type[np.generic], size: int) -> npt.NDArray[Any]:
        """The next `size` values, a view."""
        width = np.dtype(dtype).itemsize
        if size < 0 or size * width > self.left:
            raise self.cut_short()
        values = np.frombuffer(self.data, dtype, size, self.at)
        self.at += size * width
        return values

    def matrix(self, quantised: bool) -> Matrix:
        """A matrix; a quantised one is spread out."""
        if quantised:
            return self._quantised()
        rows, columns = self._shape(*self.numbers("2q"))
        return self.array(np.float32, rows * columns).reshape(rows, columns)

    def _quantised(self) -> Matrix:
        with_norms = self.flag()
        rows, columns, code_size = self.numbers("2qi")
        rows, columns = self._shape(rows, columns)
        codes = self.array(np.uint8, code_size)
        centroids = self._centroids(columns)
        if code_size != rows * len(centroids):
            raise ValueError(
                f"This fastText model is damaged: {code_size} codes for {rows} rows of {len(centroids)}."
            )
        codes = codes.reshape(rows, len(centroids))
        matrix = np.concatenate([c[codes[:, i]] for i, c in enumerate(centroids)], axis=1)
        if with_norms:
            norms = self.array(np.uint8, rows)
            matrix *= self._centroids(1)[0][norms]
        matrix.setflags(write=False)
        return matrix

    def _centroids(self, columns: int) -> list[Matrix]:
        """The centroids of each run of dimensions, shape (256, length of the run)."""
        dim, parts, length, last = self.numbers("4i")
        if dim != columns or not (parts > 0 and 0 < last <= length and (parts - 1) * length + last == dim):
            raise ValueError(
                f"This fastText model is damaged: {dim} dimensions in {parts} runs of {length} and {last}."
            )
        values = self.array(np.float32, dim * _CENTROIDS)
        bounds = [_CENTROIDS * length * part for part in range(parts)] + [values.size]
        return [values[begin:end].reshape(_CENTROIDS, -1) for begin, end in pairwise(bounds)]

    def _shape(self, rows: int, columns: int) -> tuple[int, int]:
        if rows < 0 or columns < 1 or rows > 1 << 40 or columns > 1 << 20:
            raise ValueError(f"This fastText model is damaged: a matrix of {rows} by {columns}.")
        return rows, columns

"""Training of a fastText classifier (Joulin et al. 2017, "Bag of tricks for efficient text classification").

The same model as the official library's `train_supervised` with the softmax loss: the mean of the vectors of
a text's words and word n-grams, a linear layer, a probability for each label; stochastic gradient descent, a
text a step, the learning rate falling linearly to 0. One thread, a fixed order and seed: the same examples
give the same bytes. The result is a `.bin` file, which the official library and `filters.fasttext` read.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.classify.fasttext import (
    END_OF_TEXT,
    LABEL_PREFIX,
    WORD_NGRAM_FACTOR,
    fnv,
    is_end_of_text,
    is_space,
    starts_with,
)
from filters.classify.fasttext_file import MAGIC, NEWEST_VERSION, SOFTMAX, SUPERVISED
from filters.text.hashing import find_slot, hash_bytes
from filters.text.kernel import driver, kernel
from filters.text.texts import Texts, text_buffers

_PREFIX = np.frombuffer(LABEL_PREFIX, np.uint8)
_FIRST_SLOTS = 1 << 16
_END_KEY = np.uint64(2)
"""Stands for the end of a text in the hash table; the hashes of words are odd."""


@dataclass(frozen=True)
class Training:
    """How a classifier is trained; the names in brackets are the official library's."""

    dimensions: int = 16
    """Length of the vectors (dim)."""
    ngrams: int = 2
    """Longest run of words that is a feature (wordNgrams)."""
    buckets: int = 200_000
    """Vectors that n-grams share by their hash (bucket)."""
    min_count: int = 2
    """Rarer words have no vector of their own (minCount)."""
    epochs: int = 5
    learning_rate: float = 0.5
    """At the start (lr)."""
    seed: int = 0


def train_fasttext(
    texts: Texts, labels: npt.NDArray[np.int32], names: Sequence[str], training: Training
) -> bytes:
    """Train on `texts`, whose labels are positions in `names`; returns the bytes of a `.bin` file.

    Tokens are what stands between ASCII white space; other preparation, such as `filters.plain_words`, is up
    to the caller and must be the same when the model is applied.

    Raises:
        ValueError: The training diverged.
    """
    buffers = text_buffers(texts)
    words = _vocabulary(buffers.data, buffers.offsets, training.min_count)
    rows = len(words.starts) + (training.buckets if training.ngrams > 1 else 0)
    random = np.random.Generator(np.random.PCG64(training.seed))
    matrix = random.random((rows, training.dimensions), np.float32)
    matrix -= np.float32(0.5)
    matrix *= np.float32(2 / training.dimensions)
    output = np.zeros((len(names), training.dimensions), np.float32)
    order = np.concatenate([random.permutation(len(labels)) for _ in range(training.epochs)])
    table = _Words(words.keys, words.ids)
    shape = _Descent(
        training.learning_rate,
        training.ngrams,
        training.buckets,
        len(words.starts),
        int(fnv(np.frombuffer(END_OF_TEXT, np.uint8), 0, len(END_OF_TEXT))),
        words.longest * training.ngrams,
    )
    _descend(buffers.data, buffers.offsets, labels, order, table, _PREFIX, shape, matrix, output)
    if not np.isfinite(output).all():
        raise ValueError("The training of a fastText classifier diverged. Lower its learning rate.")
    counts = np.bincount(labels, minlength=len(names))
    return _file(buffers.data, words, names, counts, training, matrix, output)


class _Words(NamedTuple):
    """The row of each word: a hash table."""

    keys: npt.NDArray[np.uint64]
    """0 is empty."""
    ids: npt.NDArray[np.int32]
    """-1 where the word is too rare."""


class _Descent(NamedTuple):
    """What the descent needs to know."""

    learning_rate: float
    ngrams: int
    buckets: int
    words: int
    end_hash: int
    scratch: int
    """The most rows that a text can have."""


@dataclass(frozen=True)
class _Vocabulary:
    """The words of the examples, the most frequent first; the first use of each says how it is spelled."""

    keys: npt.NDArray[np.uint64]
    """Hash table of the words; 0 is empty."""
    ids: npt.NDArray[np.int32]
    """The word in each slot of it, -1 where it is too rare."""
    starts: npt.NDArray[np.int64]
    """Where in the data the word is first; -1 for the end of a text."""
    ends: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    longest: int
    """Tokens of the longest text, its end included."""
    tokens: int
    """Of all texts."""


def _vocabulary(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], min_count: int) -> _Vocabulary:
    slots = _FIRST_SLOTS
    while True:
        keys = np.zeros(slots, np.uint64)
        seen = np.zeros((slots, 3), np.int64)  # count, start, end
        longest, tokens = _count(data, offsets, _PREFIX, keys, seen)
        if longest >= 0:
            break
        slots *= 4
    used = np.flatnonzero(keys)
    frequent = used[(seen[used, 0] >= min_count) | (seen[used, 1] < 0)]
    frequent = frequent[np.lexsort((seen[frequent, 1], -seen[frequent, 0]))]
    ids = np.full(slots, -1, np.int32)
    ids[frequent] = np.arange(len(frequent))
    counts, starts, ends = (np.ascontiguousarray(seen[frequent, i]) for i in range(3))
    return _Vocabulary(keys, ids, starts, ends, counts, longest, tokens)


@driver
def _count(data, offsets, label_prefix, keys, seen):
    """Counts words in the hash table `keys`.

    Returns the most tokens that a text has, and all there are; (-1, 0) when the table is full.
    """
    free = keys.size // 2
    longest, tokens = 1, 0
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
        length = 1
        while True:
            begin, at = _next_token(data, at, end, label_prefix)
            key = hash_bytes(data, begin, at) if begin < at else _END_KEY
            slot = find_slot(keys, keys.size - 1, key)
            if keys[slot] == 0:
                if free == 0:
                    return -1, 0
                free -= 1
                keys[slot] = key
                seen[slot, 1] = begin if begin < at else -1
                seen[slot, 2] = at
            seen[slot, 0] += 1
            if begin == at:
                break
            length += 1
        longest = max(longest, length)
        tokens += length
    return longest, tokens


@kernel
def _next_token(data, at, end, label_prefix):
    """The next token as begin and end; equal where the text ends, which a token `</s>` makes it do."""
    while True:
        while at < end and is_space(data[at]):
            at += 1
        begin = at
        while at < end and not is_space(data[at]):
            at += 1
        if begin == at or is_end_of_text(data, begin, at):
            return at, at
        if not starts_with(data, begin, at, label_prefix):
            return begin, at


@driver
def _descend(data, offsets, labels, order, words, prefix, training, matrix, output):
    """Stochastic gradient descent over the texts in `order`; changes `matrix` and `output` in place."""
    dimensions, classes = output.shape[1], output.shape[0]
    rows = np.empty(training.scratch, np.int64)
    hashes = np.empty(training.scratch, np.uint64)
    hidden = np.empty(dimensions, np.float32)
    gradient = np.empty(dimensions, np.float32)
    scores = np.empty(classes, np.float32)
    for step in range(order.size):
        document = order[step]
        count = _rows(data, offsets[document], offsets[document + 1], words, prefix, training, rows, hashes)
        if count == 0:
            continue
        rate = np.float32(training.learning_rate * (1.0 - step / order.size))
        share = np.float32(1.0 / count)
        hidden[:] = 0
        for index in range(count):
            for dimension in range(dimensions):
                hidden[dimension] += matrix[rows[index], dimension]
        for dimension in range(dimensions):
            hidden[dimension] *= share
        _softmax(hidden, output, scores)
        gradient[:] = 0
        for label in range(classes):
            change = rate * (np.float32(label == labels[document]) - scores[label])
            for dimension in range(dimensions):
                gradient[dimension] += change * output[label, dimension]
                output[label, dimension] += change * hidden[dimension]
        for dimension in range(dimensions):
            gradient[dimension] *= share
        for index in range(count):
            for dimension in range(dimensions):
                matrix[rows[index], dimension] += gradient[dimension]


@kernel
def _rows(data, at, end, words, prefix, training, rows, hashes):
    """Fills `rows` with the rows of a text: its words, then its n-grams; returns how many these are."""
    count, tokens = 0, 0
    while True:
        begin, at = _next_token(data, at, end, prefix)
        key, state = _END_KEY, np.uint32(training.end_hash)
        if begin < at:
            key, state = hash_bytes(data, begin, at), fnv(data, begin, at)
        slot = find_slot(words.keys, words.keys.size - 1, key)
        if words.keys[slot] == key and words.ids[slot] >= 0:
            rows[count] = words.ids[slot]
            count += 1
        hashes[tokens] = np.uint64(np.int64(np.int32(state)))
        tokens += 1
        if begin == at:
            break
    for first in range(tokens):
        value = hashes[first]
        for following in range(first + 1, min(tokens, first + training.ngrams)):
            value = value * WORD_NGRAM_FACTOR + hashes[following]
            rows[count] = training.words + np.int64(value % np.uint64(training.buckets))
            count += 1
    return count


@kernel
def _softmax(hidden, output, scores):
    """The probability of each label."""
    for label in range(scores.size):
        total = np.float32(0)
        for dimension in range(hidden.size):
            total += hidden[dimension] * output[label, dimension]
        scores[label] = total
    highest = scores[0]
    for score in scores:
        highest = max(highest, score)
    total = np.float32(0)
    for label in range(scores.size):
        scores[label] = np.exp(scores[label] - highest)
        total += scores[label]
    for label in range(scores.size):
        scores[label] /= total


def _file(
    data: npt.NDArray[np.uint8],
    words: _Vocabulary,
    names: Sequence[str],
    label_counts: npt.NDArray[np.int64],
    training: Training,
    matrix: npt.NDArray[np.float32],
    output: npt.NDArray[np.float32],
) -> bytes:
    """The bytes of a `.bin` file; see `filters.fasttext_file`."""
    negatives, update_rate, window = 5, 100, 5  # The library's defaults, which mean nothing here.
    buckets = training.buckets if training.ngrams > 1 else 0
    learning = (training.dimensions, window, training.epochs, training.min_count, negatives)
    shape = (training.ngrams, SOFTMAX, SUPERVISED, buckets, 0, 0, update_rate)
    parts = [
        struct.pack("<2i12id", MAGIC, NEWEST_VERSION, *learning, *shape, 1e-4),
        struct.pack("<3i2q", len(words.starts) + len(names), len(words.starts), len(names), words.tokens, -1),
    ]
    for start, end, count in zip(words.starts, words.ends, words.counts, strict=True):
        word = data[start:end].tobytes() if start >= 0 else END_OF_TEXT
        parts.append(word + struct.pack("<bqb", 0, count, 0))
    for name, count in zip(names, label_counts, strict=True):
        parts.append(LABEL_PREFIX + name.encode() + struct.pack("<bqb", 0, count, 1))
    for values in (matrix, output):
        parts += [struct.pack("<b2q", 0, *values.shape), values.tobytes()]
    return b"".join(parts)

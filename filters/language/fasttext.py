"""fastText classifiers (Joulin et al. 2017, "Bag of tricks for efficient text classification"), on columns.

What the official library computes, from the same model files (`filters.fasttext_file`): a document is cut
into tokens at ASCII white space; the rows of its words, of their character n-grams and of its word n-grams
are averaged; the output matrix makes the average a probability for each label. The end of the text counts as
the token `</s>`, and a token `</s>` in the text ends it. Newlines are white space: fastText itself would stop
at the first one, so its users replace them by blanks.

What differs: rows are added word by word, the sum of a word being remembered, so the last bits of a
probability may differ; and a probability is at most 1, where fastText returns up to 1.00003.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.language.fasttext_file import HIERARCHICAL_SOFTMAX, SOFTMAX, ModelFile, parse_model
from filters.text.characters import start_of_character
from filters.text.hashing import find_slot, hash_bytes, slots_for
from filters.text.kernel import driver, inline_kernel, kernel
from filters.text.texts import Texts, text_buffers
from filters.text.vectors import count_ones

STRETCHES = 3
"""Where a document is longer than the sample, as many stretches of equal length are read: its beginning, its
middle, its end. They start and end between characters, and are separate words."""

_END_OF_TEXT = b"</s>"
_LABEL_PREFIX = b"__label__"
_BASIS, _PRIME = 2166136261, 16777619
_WORD_NGRAM_FACTOR = np.uint64(116049371)
_CACHE_BYTES = 1 << 21
_NO_WORD = -1


class _Dictionary(NamedTuple):
    """Which rows of the input matrix a text has."""

    data: npt.NDArray[np.uint8]
    """The bytes of words and labels."""
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    words: int
    """How many entries are words; the others are labels."""
    keys: npt.NDArray[np.uint64]
    """Hash table of the entries; 0 is empty."""
    ids: npt.NDArray[np.int32]
    """The entry in each slot of it."""
    label: npt.NDArray[np.uint8]
    """How labels start; such a token in a text is no word."""
    end_row: int
    """Row of `</s>`, -1 if it is not in the dictionary."""
    end_hash: int
    buckets: int
    kept: npt.NDArray[np.uint64]
    """In a pruned model a bit for each bucket, 1 where it has a row; empty where all have."""
    kept_before: npt.NDArray[np.int32]
    """How many buckets are kept before those of each element of `kept`: the rows are in their order."""
    minn: int
    maxn: int
    word_ngrams: int


class _Output(NamedTuple):
    """How the average of the rows becomes probabilities."""

    hierarchical: bool
    """Whether by hierarchical softmax; else by softmax."""
    columns: npt.NDArray[np.float32]
    """The output matrix, transposed: (dim, labels)."""
    children: npt.NDArray[np.int32]
    """For hierarchical softmax the tree of labels: (inner nodes, left and right). A node below the number of
    labels is a label; from there on they are inner nodes, of which the last is the root."""


class _Cache(NamedTuple):
    """Words met, each in the slot of its hash; what was there before is forgotten."""

    keys: npt.NDArray[np.uint64]
    hashes: npt.NDArray[np.uint32]
    """As fastText hashes them."""
    rows: npt.NDArray[np.int32]
    """How many rows of the input matrix they have; `_NO_WORD` if the token is a label."""
    sums: npt.NDArray[np.float32]
    """The sum of these rows: (slots, dim)."""


@dataclass(frozen=True, eq=False)
class FastText:
    """A fastText model of languages."""

    labels: tuple[str, ...]
    """Names of the labels, without `__label__`."""
    dim: int
    dictionary: _Dictionary
    input: npt.NDArray[np.float32]
    output: _Output

    @classmethod
    def parse(cls, data: bytes | memoryview) -> FastText:
        """A model from the bytes of its file, `.bin` or `.ftz`; large matrices are read in place.

        Raises:
            ValueError: It is no fastText classifier, is cut short or contradicts itself, or its probabilities
                are not those of one label among all.
        """
        model = parse_model(data)
        if model.loss not in (HIERARCHICAL_SOFTMAX, SOFTMAX):
            raise ValueError(
                "This fastText model judges each label on its own. Train it with `softmax` or `hs`."
            )
        hierarchical = model.loss == HIERARCHICAL_SOFTMAX
        counts = model.entries["count"][model.words :]
        output = _Output(
            hierarchical,
            np.ascontiguousarray(model.output.T),
            _label_tree(counts) if hierarchical else np.empty((0, 2), np.int32),
        )
        return cls(model.labels, model.dim, _dictionary(model), _ordered(model), output)

    def predict(
        self, texts: Texts, sample_bytes: int | None = None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The likeliest label of each text, as an index of `labels`, and its probability.

        Args:
            texts: A string or large_string column without nulls.
            sample_bytes: Bytes of a longer text that are read, in `STRETCHES` stretches; all when None.

        Returns:
            int32[n] and float32[n]; -1 and 0 where no word or n-gram of the text is in the model.
        """
        averages, rows = self._averages(texts, sample_bytes)
        labels = np.full(len(rows), -1, np.int32)
        probabilities = np.zeros(len(rows), np.float32)
        _predict(averages, rows, self.output, labels, probabilities)
        return labels, probabilities

    def _averages(
        self, texts: Texts, sample_bytes: int | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The mean row of each text, float32[n, dim], and of how many rows it is the mean, int64[n]."""
        if sample_bytes is not None and sample_bytes < STRETCHES:
            raise ValueError(f"A sample of {sample_bytes} bytes is empty. Give at least {STRETCHES}.")
        buffers = text_buffers(texts)
        averages = np.zeros((len(buffers.offsets) - 1, self.dim), np.float32)
        rows = np.zeros(len(averages), np.int64)
        slots = 1 << max(4, (_CACHE_BYTES // (4 * self.dim + 16)).bit_length() - 1)
        cache = _Cache(
            np.zeros(slots, np.uint64),
            np.zeros(slots, np.uint32),
            np.zeros(slots, np.int32),
            np.zeros((slots, self.dim), np.float32),
        )
        ring = np.zeros(max(0, self.dictionary.word_ngrams - 1), np.uint64)
        sample = 1 << 62 if sample_bytes is None else sample_bytes
        _average(
            buffers.data, buffers.offsets, sample, self.dictionary, self.input, cache, ring, averages, rows
        )
        return averages, rows


def _dictionary(model: ModelFile) -> _Dictionary:
    starts, ends = (np.ascontiguousarray(model.entries[name]) for name in ("start", "end"))
    slots = slots_for(len(starts))
    keys, ids = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
    _index(model.data, starts, ends, keys, ids)
    bits = np.zeros(0, np.uint64)
    if model.kept_buckets is not None:
        flags = np.zeros(64 * (model.buckets // 64 + 1), np.uint8)
        flags[model.kept_buckets[:, 0]] = 1
        bits = np.packbits(flags, bitorder="little").view(np.uint64)
    end = np.frombuffer(_END_OF_TEXT, np.uint8)
    end_row = _find(end, 0, len(end), _key(end, 0, len(end)), model.data, starts, ends, keys, ids)
    return _Dictionary(
        model.data,
        starts,
        ends,
        model.words,
        keys,
        ids,
        np.frombuffer(_LABEL_PREFIX, np.uint8),
        end_row if end_row < model.words else -1,
        int(_fnv(end, 0, len(end))),
        model.buckets,
        bits,
        (np.cumsum(np.bitwise_count(bits), dtype=np.int32) - np.bitwise_count(bits)).astype(np.int32),
        model.minn,
        model.maxn,
        model.word_ngrams,
    )


def _ordered(model: ModelFile) -> npt.NDArray[np.float32]:
    """The input matrix, in a pruned model with the rows of kept buckets in the order of the buckets."""
    if model.kept_buckets is None:
        return model.input
    _, first = np.unique(model.kept_buckets[::-1, 0], return_index=True)
    rows = model.kept_buckets[::-1, 1][first] + model.words
    matrix = np.concatenate([model.input[: model.words], model.input[rows]])
    matrix.setflags(write=False)
    return matrix


def _label_tree(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """The Huffman tree of the labels, which the file has sorted by falling count; see `_Output.children`."""
    labels = len(counts)
    weights = np.concatenate([counts, np.full(labels - 1, 10**15)])
    children = np.zeros((labels - 1, 2), np.int32)
    leaf, node = labels - 1, labels
    for inner in range(labels - 1):
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[inner, side] = leaf
                leaf -= 1
            else:
                children[inner, side] = node
                node += 1
        weights[labels + inner] = weights[children[inner]].sum()
    return children


@driver
def _average(data, offsets, sample, dictionary, matrix, cache, ring, averages, rows):
    """Fills `averages` and `rows`, a row a document."""
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        total = averages[document]
        stretches = STRETCHES if end - begin > sample else 1
        ring[:] = 0
        tokens, count, ended = 0, 0, False
        for number in range(stretches):
            if not ended:
                first, last = _stretch(data, begin, end, sample, number, stretches)
                tokens, count, ended = _read(
                    data, first, last, dictionary, matrix, cache, ring, tokens, count, total
                )
        if dictionary.end_row >= 0:
            _add(matrix, dictionary.end_row, total)
            count += 1
        count += _add_word_ngrams(np.uint32(dictionary.end_hash), tokens, dictionary, matrix, ring, total)
        if count:
            scale = np.float32(1.0 / count)
            for index in range(total.size):
                total[index] *= scale
        rows[document] = count


@kernel
def _stretch(data, begin, end, sample, number, stretches):
    """The first byte, and the one behind the last, of a stretch of a document."""
    if stretches == 1:
        return begin, end
    length = sample // stretches
    first = begin + (end - begin - length) * number // (stretches - 1)
    last = first + length
    return start_of_character(data, first, begin), last if last == end else start_of_character(
        data, last, begin
    )


@kernel
def _read(data, at, end, dictionary, matrix, cache, ring, tokens, count, total):
    """Adds the rows of `data[at:end]` to `total`.

    Returns how many tokens and rows there are now, and whether a `</s>` ended the text.
    """
    mask = cache.keys.size - 1
    while True:
        while at < end and _is_space(data[at]):
            at += 1
        if at == end:
            return tokens, count, False
        begin = at
        while at < end and not _is_space(data[at]):
            at += 1
        if _is_end_of_text(data, begin, at):
            return tokens, count, True
        key = _key(data, begin, at)
        slot = np.int64(key & np.uint64(mask))
        if cache.keys[slot] != key:
            cache.keys[slot] = key
            cache.hashes[slot] = _fnv(data, begin, at)
            cache.rows[slot] = _word_rows(data, begin, at, key, dictionary, matrix, cache.sums[slot])
        found = cache.rows[slot]
        if found == _NO_WORD:
            continue
        if found:
            _add(cache.sums, slot, total)
        count += found
        if ring.size:
            count += _add_word_ngrams(cache.hashes[slot], tokens, dictionary, matrix, ring, total)
        tokens += 1


@kernel
def _word_rows(data, begin, end, key, dictionary, matrix, total):
    """Sets `total` to the sum of a token's rows and returns their number, `_NO_WORD` for a label."""
    total[:] = 0
    count = 0
    word = _find(
        data,
        begin,
        end,
        key,
        dictionary.data,
        dictionary.starts,
        dictionary.ends,
        dictionary.keys,
        dictionary.ids,
    )
    if word >= dictionary.words:
        return _NO_WORD
    if word >= 0:
        _add(matrix, word, total)
        count = 1
    elif _starts_with(data, begin, end, dictionary.label):
        return _NO_WORD
    # Of `<word>`, with the brackets; a bracket alone does not count.
    start = begin - 1
    while start < end:
        state = np.uint32(_BASIS)
        if start < begin:
            state = _fnv_byte(state, np.uint8(60))
            at = begin
        else:
            state, at = _fnv_character(state, data, start, end)
        following = at
        length = 1
        while length <= dictionary.maxn:
            if length >= dictionary.minn and not (length == 1 and start < begin):
                count += _add_bucket(state % np.uint32(dictionary.buckets), dictionary, matrix, total)
            if at > end:
                break
            if at == end:
                state = _fnv_byte(state, np.uint8(62))
                at = end + 1
            else:
                state, at = _fnv_character(state, data, at, end)
            length += 1
        start = following
    return count


@kernel
def _add_word_ngrams(state, tokens, dictionary, matrix, ring, total):
    """Adds the n-grams that end with a token, the one after `tokens` others; returns how many rows these are.

    `ring` holds, for each of the last tokens, the hash of the n-gram from that token on.
    """
    if ring.size == 0:
        return 0
    value = np.uint64(np.int64(np.int32(state)))
    count = 0
    for back in range(1, min(tokens, ring.size) + 1):
        place = (tokens - back) % ring.size
        ring[place] = ring[place] * _WORD_NGRAM_FACTOR + value
        bucket = ring[place] % np.uint64(dictionary.buckets)
        count += _add_bucket(bucket, dictionary, matrix, total)
    ring[tokens % ring.size] = value
    return count


@kernel
def _add_bucket(bucket, dictionary, matrix, total):
    """Adds the row of a bucket of n-grams, if it has one; returns how many rows that is."""
    row = np.int64(bucket)
    if dictionary.kept.size:
        bits = dictionary.kept[row >> 6]
        place = np.uint64(row & 63)
        if not (bits >> place) & np.uint64(1):
            return 0
        row = dictionary.kept_before[row >> 6] + count_ones(bits & ((np.uint64(1) << place) - np.uint64(1)))
    _add(matrix, dictionary.words + row, total)
    return 1


@inline_kernel
def _add(matrix, row, total):
    for index in range(total.size):
        total[index] += matrix[row, index]


@inline_kernel
def _is_space(byte):
    """Whether a byte separates tokens."""
    return byte == 32 or 9 <= byte <= 13 or byte == 0


@inline_kernel
def _is_end_of_text(data, begin, end):
    """Whether a token is `</s>`."""
    return (
        end - begin == 4
        and data[begin] == 60
        and data[begin + 1] == 47
        and data[begin + 2] == 115
        and data[begin + 3] == 62
    )


@kernel
def _starts_with(data, begin, end, prefix):
    """Whether `data[begin:end]` starts with the bytes of `prefix`."""
    if end - begin < prefix.size:
        return False
    for index in range(prefix.size):  # noqa: SIM110 (kernels have no generators)
        if data[begin + index] != prefix[index]:
            return False
    return True


@kernel
def _key(data, begin, end):
    return hash_bytes(data, begin, end)


@inline_kernel
def _fnv_byte(state, byte):
    """A step of FNV-1a; fastText takes bytes as signed, so one above 127 flips the upper bits as well."""
    return np.uint32((state ^ np.uint32(np.int32(np.int8(byte)))) * np.uint32(_PRIME))


@kernel
def _fnv(data, begin, end):
    """The hash by which fastText knows a token: uint32."""
    state = np.uint32(_BASIS)
    for at in range(begin, end):
        state = _fnv_byte(state, data[at])
    return state


@inline_kernel
def _fnv_character(state, data, at, end):
    """The hash with the character at `at`, and the position behind it."""
    state = _fnv_byte(state, data[at])
    at += 1
    while at < end and (data[at] & 0xC0) == 0x80:
        state = _fnv_byte(state, data[at])
        at += 1
    return state, at


@driver
def _index(words, starts, ends, keys, ids):
    """Fills the hash table of the dictionary; the first of equal entries counts."""
    for entry in range(starts.size):
        key = _key(words, starts[entry], ends[entry])
        slot = find_slot(keys, keys.size - 1, key)
        if keys[slot] == 0:
            keys[slot] = key
            ids[slot] = entry


@kernel
def _find(data, begin, end, key, words, starts, ends, keys, ids):
    """The entry that equals `data[begin:end]`, -1 if there is none."""
    slot = find_slot(keys, keys.size - 1, key)
    if keys[slot] == 0:
        return -1
    entry = ids[slot]
    if ends[entry] - starts[entry] != end - begin:
        return -1
    for index in range(end - begin):
        if data[begin + index] != words[starts[entry] + index]:
            return -1
    return np.int64(entry)


@driver
def _predict(averages, rows, output, labels, probabilities):
    """The best label of each row of `averages`."""
    scores = np.empty(output.columns.shape[1], dtype=np.float32)
    nodes = np.empty(output.columns.shape[1] + 1, dtype=np.int64)
    path_scores = np.empty(output.columns.shape[1] + 1, dtype=np.float32)
    for document in range(rows.size):
        if rows[document] == 0:
            continue
        _multiply(averages[document], output.columns, scores)
        if output.hierarchical:
            label, score = _best_leaf(scores, output.children, nodes, path_scores)
            probability = np.exp(score)
        else:
            _softmax(scores)
            label, probability = -1, np.float32(-1.0)
            for index in range(scores.size):
                if scores[index] > probability:
                    label, probability = index, scores[index]
        if label >= 0:
            labels[document] = label
            probabilities[document] = min(probability, np.float32(1.0))


@kernel
def _multiply(average, columns, scores):
    scores[:] = 0
    for index in range(average.size):
        factor = average[index]
        for label in range(scores.size):
            scores[label] += factor * columns[index, label]


@inline_kernel
def _log(x):
    """FastText's logarithm, which has no infinity."""
    return np.float32(np.log(np.float64(x) + 1e-5))


@inline_kernel
def _branch(score):
    """The logarithms of the probabilities to go left and right at an inner node."""
    right = np.float32(1.0 / (1.0 + np.float64(np.exp(-score))))
    return _log(np.float32(1.0 - np.float64(right))), _log(right)


@kernel
def _best_leaf(scores, children, nodes, path_scores):
    """The likeliest label and its logarithmic probability; a branch is left when it cannot win any more."""
    labels = scores.size
    best, best_score = -1, np.float32(-np.inf)
    nodes[0], path_scores[0] = 2 * labels - 2, 0.0
    waiting = 1
    while waiting:
        waiting -= 1
        node, score = nodes[waiting], path_scores[waiting]
        if not score > best_score:
            continue
        if node < labels:
            best, best_score = node, score
            continue
        left, right = _branch(scores[node - labels])
        # The likelier child is looked at first.
        likelier = np.int64(right > left)
        nodes[waiting] = children[node - labels, 1 - likelier]
        path_scores[waiting] = score + min(left, right)
        nodes[waiting + 1] = children[node - labels, likelier]
        path_scores[waiting + 1] = score + max(left, right)
        waiting += 2
    return best, best_score


@kernel
def _softmax(scores):
    """Turns scores into probabilities."""
    highest = scores[0]
    for score in scores:
        highest = max(highest, score)
    total = np.float32(0.0)
    for index in range(scores.size):
        scores[index] = np.exp(scores[index] - highest)
        total += scores[index]
    for index in range(scores.size):
        scores[index] = np.exp(_log(scores[index] / total))

"""The screen before the embeddings: which passages share enough rare words with any item to be worth one.

An item is known by its rarest words, weighted by how few items have them. A passage is worth an embedding
where it has `SHARED` of the weight of some item. A translation shares no words, so where translations are
looked for, a passage in another language than the items' is let through: it lacks their commonest words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from filters.text.texts import Texts
from tokenizer_tools.compiled import compiled
from pipelines.sources.endpoint import Vectors
from pipelines.stages.contamination.passages import (
    Flags,
    Numbers,
    Passages,
    Words,
    find_passages,
    find_words,
)

SHARED = 0.25
"""Of an item's weight, by benchmarks/semantic_contamination.py: it leaves 98.4 % of 192 history questions in
other words within prose, all of HumanEval rewritten in Python and JavaScript, and 9 % of passages of prose.
"""
RAREST = 16
"""Words of an item that count: with all of them, long items would hardly ever be covered."""
COMMONEST = 100
"""Words that tell the language of the items."""
SAME_LANGUAGE = 0.15
"""Share of a passage's words among the commonest of the items, from which on it is in their language."""

_STEM = 6
"""Letters of a word that count, so that its endings do not: a crude stem."""

Hashes = npt.NDArray[np.uint64]


class Postings(NamedTuple):
    """Which items each word is of: those of word `i` are from `first[i]` to `first[i + 1]`."""

    first: Numbers
    item: Numbers
    weight: npt.NDArray[np.float32]
    """The weights of an item add up to 1."""


class Screen(NamedTuple):
    """What the items are known by."""

    words: Hashes
    """Sorted."""
    postings: Postings
    commonest: Hashes
    """Sorted."""

    @classmethod
    def of(cls, items: Texts, background: Texts) -> Screen:
        """The screen of items; words that many passages of the background have count less."""
        words = find_words(items)
        in_items = _pairs(hash_words(words), words, words.documents[:-1], words.documents[1:])
        there = find_words(background)
        passages = find_passages(background, there)
        in_passages = _pairs(hash_words(there), there, passages.first, passages.last)
        spread = pl.concat([in_items, in_passages]).group_by("word").agg(pl.len().alias("texts"))
        commonest = (
            in_items.group_by("word").len().sort("len", "word", descending=[True, False]).head(COMMONEST)
        )
        texts = len(items) + len(passages.row)
        rarest = (
            in_items.rename({"text": "item"})
            .join(spread, on="word")
            .sort("item", "texts", "word")
            .filter(pl.int_range(pl.len()).over("item") < RAREST)
            .with_columns(weight=((1 + texts) / pl.col("texts")).log().cast(pl.Float32))
            .with_columns(pl.col("weight") / pl.col("weight").sum().over("item"))
        )
        rarest = rarest.sort("word", "item")
        different, first = np.unique(rarest["word"].to_numpy(), return_index=True)
        postings = Postings(
            np.append(first, rarest.height), rarest["item"].to_numpy(), rarest["weight"].to_numpy()
        )
        return cls(different, postings, np.sort(commonest["word"].to_numpy()))

    def passed(self, words: Words, passages: Passages, translations: bool) -> Flags:
        """Whether each passage is worth an embedding."""
        hashes = hash_words(words)
        passed = self._alike(hashes, words, passages)
        return passed | self._foreign(hashes, words, passages) if translations else passed

    def _alike(self, hashes: Hashes, words: Words, passages: Passages) -> Flags:
        """Whether a passage has enough of the words of some item."""
        known = _among(hashes, self.words)
        places = words.starts[known]
        numbers = np.searchsorted(self.words, hashes[known])
        first, last = np.searchsorted(places, passages.first), np.searchsorted(places, passages.last)
        covered: Flags = _any_covered(first, last, numbers, *self.postings)
        return covered

    def _foreign(self, hashes: Hashes, words: Words, passages: Passages) -> Flags:
        """Whether a passage is in another language than the items."""
        common = np.concatenate([[0], np.cumsum(_among(hashes, self.commonest))])
        from_, to = (
            np.searchsorted(words.starts, passages.first),
            np.searchsorted(words.starts, passages.last),
        )
        foreign: Flags = common[to] - common[from_] < SAME_LANGUAGE * (to - from_)
        return foreign


def hash_words(words: Words) -> Hashes:
    """A hash of each word's first letters: a polynomial of its bytes, modulo 2**64, that needs no loop."""
    long = np.where(words.data[words.starts] < 0x80, _STEM, 2 * _STEM)  # most other letters have two bytes
    ends = np.minimum(words.ends, words.starts + long)
    hashes = np.zeros(len(ends), np.uint64)
    for place in range(2 * _STEM):
        inside = words.starts + place < ends
        byte = words.data[np.minimum(words.starts + place, len(words.data) - 1)].astype(np.uint64)
        hashes = np.where(inside, (hashes ^ byte) * _PRIME, hashes)
        hashes ^= hashes >> np.uint64(29)
    return hashes


_PRIME = np.uint64(0x9E3779B97F4A7C15)


def _pairs(hashes: Hashes, words: Words, first: Numbers, last: Numbers) -> pl.DataFrame:
    """The different words of each text, from byte `first` to `last`: `text` and `word`."""
    from_, to = np.searchsorted(words.starts, first), np.searchsorted(words.starts, last)
    counts = to - from_
    text = np.repeat(np.arange(len(counts)), counts)
    inside = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts - from_, counts)
    return pl.DataFrame({"text": text, "word": hashes[inside]}).unique()


@compiled
def _any_covered(
    first: Numbers, last: Numbers, words: Numbers, posting: Numbers, item: Numbers, weight: Vectors
) -> Flags:
    """Whether passage `i`, the words from `first[i]` to `last[i]`, has SHARED of the weight of any item."""
    covered = np.zeros(len(first), np.bool_)
    met = np.full(len(posting), -1)  # the passage that each word was last met in
    weights = np.zeros(item.max() + 1 if len(item) else 0, np.float32)
    of = np.full(len(weights), -1)  # the passage that each item's weight is of
    for passage in range(len(first)):
        for place in range(first[passage], last[passage]):
            word = words[place]
            if met[word] == passage:
                continue
            met[word] = passage
            for at in range(posting[word], posting[word + 1]):
                if of[item[at]] != passage:
                    of[item[at]] = passage
                    weights[item[at]] = 0
                weights[item[at]] += weight[at]
                covered[passage] |= weights[item[at]] >= SHARED
            if covered[passage]:
                break
    return covered


def _among(hashes: Hashes, sorted_hashes: Hashes) -> Flags:
    """Whether each hash is one of the sorted ones."""
    maybe = np.zeros(1 << _FILTER_BITS, bool)
    maybe[sorted_hashes >> np.uint64(64 - _FILTER_BITS)] = True
    found: Flags = maybe[hashes >> np.uint64(64 - _FILTER_BITS)]
    some = hashes[found]
    at = np.minimum(np.searchsorted(sorted_hashes, some), len(sorted_hashes) - 1)
    found[found] = sorted_hashes[at] == some
    return found


_FILTER_BITS = 22

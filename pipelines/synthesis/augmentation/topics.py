"""Passages on the same topic: those that share rare words.

Words are taken at their first letters, which stand for the word in all its cases. Likeness is the cosine of
their weights, (1 + ln tf) ln(n/df) (Salton & Buckley 1988, "Term-weighting approaches in automatic text
retrieval"). Words of more than a tenth of the passages say nothing of a topic and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

VERSION = 1
"""To be raised when others are related."""
LEAST = 0.05
"""Likeness below which two passages have nothing to do with each other."""
_STEM = 6
"""Letters of a word that are compared."""
_WORD = re.compile(r"[^\W_]{3,}")
Array = npt.NDArray[Any]


def related(texts: Sequence[str], most: int) -> list[list[int]]:
    """For each text the numbers of the nearest other ones, at most `most`, the nearest first.

    Equal texts, and those less alike than `LEAST`, are left out. Depends on the texts and their order alone.
    """
    uses = _uses(texts)
    holders = uses.by_word()
    near = (_nearest(number, uses, holders) for number in range(len(texts)))
    return [
        [int(other) for other in others if texts[other] != texts[number]][:most]
        for number, others in enumerate(near)
    ]


class _Uses(NamedTuple):
    """Which text uses which rare word, and how much the word weighs in it: text by text."""

    texts: Array
    words: Array
    weights: Array
    bounds: Array
    """Where the uses of each text begin, and the end."""

    def by_word(self) -> _Uses:
        """The same word by word; the bounds are those of words."""
        order = np.argsort(self.words, kind="stable")
        return _Uses(self.texts[order], self.words[order], self.weights[order], _bounds(self.words[order]))


def _bounds(ordered: Array) -> Array:
    """Where each number begins in an array of ascending numbers, and the end."""
    return np.searchsorted(ordered, np.arange(ordered.max(initial=-1) + 2))


def _uses(texts: Sequence[str]) -> _Uses:
    numbers: dict[str, int] = {}
    found = [
        np.array(
            [numbers.setdefault(word[:_STEM], len(numbers)) for word in _WORD.findall(text.casefold())],
            np.int64,
        )
        for text in texts
    ]
    many = max(len(numbers), 1)
    owners = np.repeat(np.arange(len(found)), [len(words) for words in found])
    pairs, times = np.unique(owners * many + np.concatenate([*found, _NO_WORDS]), return_counts=True)
    spread = np.bincount(pairs % many, minlength=many)
    rare = (spread > 1) & (spread <= max(3, len(texts) // 10))
    kept = rare[pairs % many]
    owners, words, times = pairs[kept] // many, pairs[kept] % many, times[kept]
    weights = (1 + np.log(times)) * np.log((len(texts) + 1) / spread[words])
    lengths = np.sqrt(np.bincount(owners, weights**2, minlength=len(texts)))
    bounds = np.searchsorted(owners, np.arange(len(texts) + 1))
    return _Uses(owners, words, weights / lengths[owners], bounds)


_NO_WORDS = np.empty(0, np.int64)


def _nearest(number: int, uses: _Uses, holders: _Uses) -> Array:
    """The texts that are like one of them, the likest first."""
    own = slice(uses.bounds[number], uses.bounds[number + 1])
    words = uses.words[own]
    starts = holders.bounds[words]
    counts = holders.bounds[words + 1] - starts
    shared = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    products = np.repeat(uses.weights[own], counts) * holders.weights[shared]
    likeness = np.bincount(holders.texts[shared], products, minlength=len(uses.bounds) - 1)
    near = np.flatnonzero(likeness >= LEAST)
    return near[np.argsort(-likeness[near].round(9), kind="stable")]

"""Finds the texts of licences in a text, by the runs of three words that it has in common with them.

As licensee and askalono do, a text is compared by its words alone, without copyright lines, marks of comments
and the like; each licence is a set of hashed runs of words, which is a tenth of its text.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

VERSION = 1
"""Of the licences that are found."""

RUN = 3
"""Words of a run."""
CONTAINED = 0.80
"""So much of a licence's distinct runs must stand close together; a name that is filled in costs some."""
MISSING = 3
"""A run that is missing counts as many that are found: BSD-2 is no BSD-3 that lacks a clause."""
LEAST_RUNS = 12
"""Fewer that a text has in common with a licence are chance."""
OTHER = 2.0
"""A run of other text weighs so much against a passage that goes on over it, a run of the licence 1."""
MOST_PASSAGES = 300
"""That are looked for in one text, which may hold the licences of all that it bundles."""
LONGEST = 500_000
"""Characters of a text that are looked at."""

Runs = npt.NDArray[np.uint32]

_NOT_TEXT = re.compile(
    r"^\W*(?:copyright\b|\(c\)|©|portions copyright|all rights reserved\b).{0,160}$|"
    r"<[^<>\n]{0,60}>|\[[^][\n]{0,60}\]",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Found:
    """The licences in a text."""

    ids: tuple[str, ...]
    """As they stand in it."""
    rest: str
    """Its words that belong to none of them, in lower case."""
    words: int
    """Of the whole text."""


def licences_in(text: str) -> Found:
    """The licences whose whole text a text has."""
    words = _words(text)
    found = _runs(words)
    candidates = [template for template in _templates() if template.is_likely(found)]
    own = [np.isin(found, candidate.runs) for candidate in candidates]
    passages = [template.passage(found, hits) for template, hits in zip(candidates, own, strict=True)]
    covered, starts = np.zeros(len(words), bool), dict[str, int]()
    for _ in range(MOST_PASSAGES):
        if not passages or (best := max(passages, key=lambda passage: passage.score)).score <= 0:
            break
        starts[best.name] = min(starts.get(best.name, best.start), best.start)
        covered[best.start : best.stop + RUN - 1] = True
        for number, passage in enumerate(passages):
            own[number][best.start : best.stop] = False
            if passage.start < best.stop and best.start < passage.stop:
                passages[number] = candidates[number].passage(found, own[number])
    rest = " ".join(word for word, is_covered in zip(words, covered, strict=True) if not is_covered)
    return Found(tuple(sorted(starts, key=lambda name: starts[name])), rest, len(words))


def runs(text: str) -> Runs:
    """The hashes of a text's runs of words, in its order."""
    return _runs(_words(text))


def _words(text: str) -> list[str]:
    folded = _NOT_TEXT.sub(" ", text[:LONGEST]).casefold().replace("licence", "license")
    return _WORD.findall(folded)


def _runs(words: list[str]) -> Runs:
    joined = (" ".join(words[i : i + RUN]).encode() for i in range(len(words) - RUN + 1))
    return np.fromiter(map(zlib.crc32, joined), np.uint32)


class _Passage(NamedTuple):
    """Where a text has most of a licence: a slice of its runs."""

    name: str
    score: int
    start: int
    stop: int


@dataclass(frozen=True)
class _Template:
    """One wording of a licence."""

    name: str
    runs: Runs
    """Distinct, ascending."""

    def is_likely(self, found: Runs) -> bool:
        """Whether a text has enough of its runs, wherever."""
        return self._score(np.isin(self.runs, found).sum()) > 0

    def passage(self, found: Runs, hits: npt.NDArray[np.bool_]) -> _Passage:
        """The passage of a text that has most of its runs; `hits`: which of the text's are among them."""
        gain = np.concatenate([[0.0], np.cumsum(np.where(hits, 1.0, -OTHER))])
        over = gain - np.minimum.accumulate(gain)
        stop = int(over.argmax())
        start = int(gain[: stop + 1].argmin()) if stop else 0
        common = np.unique(found[start:stop][hits[start:stop]])
        return _Passage(self.name, self._score(len(common)), start, stop)

    def _score(self, common: int) -> int:
        missing = len(self.runs) - common
        if common < max(LEAST_RUNS, CONTAINED * len(self.runs)):
            return -1
        return int(common - MISSING * missing)


@cache
def _templates() -> list[_Template]:
    with as_file(files("pipelines.sources.licences").joinpath("spdx_list/templates.npz")) as path:
        stored = np.load(path)
        of = np.split(stored["runs"], stored["starts"][1:])
        return [_Template(*each) for each in zip(stored["ids"].tolist(), of, strict=True)]

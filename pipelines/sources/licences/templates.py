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

import numpy as np
import numpy.typing as npt

VERSION = 1
"""Of the licences that are found."""

RUN = 3
"""Words of a run."""
CONTAINED = 0.80
"""So much of a licence's runs a text must have; a name or a year that is filled in costs some."""
MISSING = 3
"""A run that is missing counts as many that are found: BSD-2 is no BSD-3 that lacks a clause."""
LEAST_RUNS = 12
"""Fewer that a text has in common with a licence are chance."""
SHORT_EXTRA = 0.35
"""Words that are of no licence, as a share, from which on a text is more than the licences in it."""
MOST_LICENCES = 24
"""That are looked for in one text, which may hold those of all that it bundles."""
LONGEST = 1_000_000
"""Characters of a text that are looked at."""

Words = list[str]
Runs = npt.NDArray[np.uint32]

_NOT_TEXT = re.compile(
    r"^\W*(?:copyright\b|\(c\)|©|portions copyright|all rights reserved\b).*$|<[^<>\n]{0,60}>|\[[^][\n]{0,60}\]",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Found:
    """The licences in a text."""

    ids: tuple[str, ...]
    """As they stand in it."""
    rest: float
    """The share of its words that belong to none of them."""


def licences_in(text: str) -> Found:
    """The licences whose whole text a text has."""
    found_runs = runs(text)
    templates = _templates()
    places = np.searchsorted(templates.runs, found_runs)
    places[places == len(templates.runs)] = 0
    known = templates.runs[places] == found_runs
    first, free = [], np.ones(len(found_runs), bool)
    while len(first) < MOST_LICENCES:
        matched, covered = templates.best(found_runs, free & known)
        if matched is None:
            break
        start = int(covered[0])
        first.append((start, templates.ids[matched]))
        free[covered] = False
    words = len(found_runs) + RUN - 1
    return Found(tuple(dict.fromkeys(name for _, name in sorted(first))), _uncovered(free) / max(1, words))


def runs(text: str) -> Runs:
    """The hashes of a text's runs of words, in its order."""
    folded = _NOT_TEXT.sub(" ", text[:LONGEST]).casefold().replace("licence", "license")
    words = _WORD.findall(folded)
    joined = (" ".join(words[i : i + RUN]).encode() for i in range(len(words) - RUN + 1))
    return np.fromiter(map(zlib.crc32, joined), np.uint32)


def _uncovered(free: npt.NDArray[np.bool_]) -> int:
    """Runs that are of no licence, those at its edges and around a filled-in name excepted."""
    padded = np.concatenate([[False], free, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    lengths = edges[1::2] - edges[::2]
    return int(np.maximum(0, lengths - 2 * RUN).sum())


@dataclass(frozen=True)
class _Templates:
    """All licences: the distinct runs of each, one after the other in `of`, and all of them sorted in `runs`."""

    ids: list[str]
    of: list[Runs]
    runs: Runs

    def best(
        self, found: Runs, usable: npt.NDArray[np.bool_]
    ) -> tuple[int, npt.NDArray[np.int64]] | tuple[None, None]:
        """The licence that accounts for most of the usable runs of a text, and which of them it does."""
        there = np.unique(found[usable])
        if len(there) < LEAST_RUNS:
            return None, None
        common = np.array([np.isin(template, there, assume_unique=True).sum() for template in self.of])
        sizes = np.array([len(template) for template in self.of])
        score = common - MISSING * (sizes - common)
        score[(common < CONTAINED * sizes) | (common < np.minimum(LEAST_RUNS, sizes))] = np.iinfo(np.int64).min
        best = int(score.argmax())
        if score[best] == np.iinfo(np.int64).min:
            return None, None
        return best, np.flatnonzero(usable & np.isin(found, self.of[best]))


@cache
def _templates() -> _Templates:
    with as_file(files("pipelines.sources.licences").joinpath("spdx_list/templates.npz")) as path:
        stored = np.load(path)
        ids = [str(name) for name in stored["ids"]]
        of = np.split(stored["runs"], stored["starts"][1:])
    return _Templates(ids, of, np.unique(stored["runs"]))

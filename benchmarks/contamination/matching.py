"""What is measured: the only place that calls the matcher."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from benchmarks.contamination.data import Item, table, words
from filters.contamination.index import build_index
from filters.contamination.judge import Thresholds
from filters.contamination.match import find_matches

Match = dict[str, Any]
"""A row of MATCHES."""


@dataclass
class Guard:
    """An index of items, asked for its matches in texts."""

    items: list[Item]

    def __post_init__(self) -> None:
        self.index = build_index(table(self.items))

    def matches(self, texts: Sequence[str]) -> list[list[Match]]:
        """The matches of each text."""
        return self._matches(texts, Thresholds())

    def solutions(self, texts: Sequence[str]) -> list[list[Match]]:
        """The same with every solution of which anything can be said."""
        return self._matches(texts, Thresholds(code=0.0))

    def _matches(self, texts: Sequence[str], thresholds: Thresholds) -> list[list[Match]]:
        found: list[list[Match]] = [[] for _ in texts]
        for match in find_matches(pa.array(texts, pa.large_string()), self.index, thresholds).to_pylist():
            found[match["row"]].append(match)
        return found

    def same(self) -> list[int]:
        """For each item the first of its benchmark with the same words: benchmarks hold items twice."""
        return self.index.items.column("same_as").to_pylist()


def solution_scores(guard: Guard, texts: Sequence[str]) -> list[dict[int, float]]:
    """The score of the solution of which items each text has, by code alone, however low that is."""
    found: list[dict[int, float]] = [defaultdict(float) for _ in texts]
    for row, matches in enumerate(guard.solutions(texts)):
        for match in matches:
            if match["mechanism"] == "code":
                found[row][match["item"]] = max(found[row][match["item"]], match["score"])
    return found


def identity(each: Item) -> tuple[str, ...]:
    return tuple(words(" ".join(each[part] or "" for part in ("passage", "question"))))

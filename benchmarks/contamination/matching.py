"""What is measured: the only place that calls the matcher."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from filters.contamination.index import build_index
from filters.contamination.match import find_matches

from benchmarks.contamination.data import Item, table, words

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
        found: list[list[Match]] = [[] for _ in texts]
        for match in find_matches(pa.array(texts, pa.large_string()), self.index).to_pylist():
            found[match["row"]].append(match)
        return found

    def same(self) -> list[int]:
        """For each item the first one with the same words: benchmarks hold items twice."""
        first: dict[tuple[str, ...], int] = {}
        return [first.setdefault(identity(each), row) for row, each in enumerate(self.items)]


def solution_scores(guard: Guard, texts: Sequence[str]) -> list[dict[int, float]]:
    """How much of the solution of which items each text covers, however little that is."""
    found: list[dict[int, float]] = [defaultdict(float) for _ in texts]
    for row, matches in enumerate(guard.matches(texts)):
        for match in matches:
            if match["solution"] is not None:
                found[row][match["item"]] = max(found[row][match["item"]], match["solution"])
    return found


def identity(each: Item) -> tuple[str, ...]:
    return tuple(words(" ".join(each[part] or "" for part in ("passage", "question"))))

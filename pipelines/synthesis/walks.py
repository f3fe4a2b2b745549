"""Texts that connect passages of different documents: short walks over the entities that they share.

A walk begins at an entity of a passage, goes on to passages on the same topic through entities that both
mention, and ends at an entity that only the last one knows. Ma et al. 2025, "Synthesize-on-Graph",
arXiv 2505.00979, found that such walks teach what texts about single documents do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pipelines.synthesis.ask import each
from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.entities import Entities, list_entities, mentions
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.writing import Writing, rank

NOTHING_SHARED = "nothing_shared"
"""The reason of a passage from which no walk leads to another document."""


@dataclass(frozen=True, slots=True)
class Place:
    """A passage and the entities that it mentions."""

    passage: Passage
    names: tuple[str, ...]

    def knows(self, name: str) -> bool:
        """Whether the passage mentions an entity."""
        return mentions(self.passage.text.casefold(), name)


@dataclass(frozen=True, slots=True)
class Walk:
    """Passages in a row, and the entities that lead from one to the next, with one before and one after."""

    passages: tuple[Passage, ...]
    names: tuple[str, ...]


async def walk_texts(writing: Writing, entities: Entities, most: int, hops: int) -> list[Result]:
    """A text about each of at most `most` walks of at most `hops` steps to related passages."""
    related = writing.passage.related
    lists = await each(list_entities(replace(writing, passage=passage)) for passage in related)
    places = [
        Place(passage, found.names)
        for passage, found in zip(related, lists, strict=True)
        if isinstance(found, Entities)
    ]
    chosen = walks(Place(writing.passage, entities.names), places, hops)[:most]
    if not chosen:
        raise RejectedError(Rejection(NOTHING_SHARED))
    return await each(_text(writing, walk, entities.prompt) for walk in chosen)


def walks(start: Place, others: Sequence[Place], hops: int) -> list[Walk]:
    """All walks of one step, and of two where `hops` says so, in an order as good as random."""
    found = [walk for end in others for walk in _walks([start, end])]
    if hops > 1:
        found += [
            walk
            for middle in others
            for end in others
            if middle != end
            for walk in _walks([start, middle, end])
        ]
    return sorted(found, key=lambda walk: rank(start.passage.id, *(p.id for p in walk.passages), *walk.names))


def _walks(places: Sequence[Place]) -> list[Walk]:
    """The walks through some passages in this order, one for each way to cross over."""
    first, last = places[0], places[-1]
    ways = _crossings(places)
    found = []
    for way in ways:
        key = (first.passage.id, last.passage.id, *way)
        begin = _drawn([name for name in first.names if name not in way and not last.knows(name)], key)
        end = _drawn([name for name in last.names if name not in way and not first.knows(name)], key)
        if begin and end:
            found.append(Walk(tuple(place.passage for place in places), (begin, *way, end)))
    return found


def _crossings(places: Sequence[Place]) -> list[tuple[str, ...]]:
    """Entities that lead from each passage to the next, none used twice."""
    ways: list[tuple[str, ...]] = [()]
    for here, there in pairwise(places):
        shared = [name for name in here.names if there.knows(name)]
        ways = [(*way, name) for way in ways for name in shared if name not in way]
    return ways


def _drawn(names: Sequence[str], key: Sequence[str]) -> str | None:
    return min(names, key=lambda name: rank(*key, name), default=None)


async def _text(writing: Writing, walk: Walk, after: str) -> Result:
    return await writing.text(
        "walks",
        after=after,
        passages=tuple(passage.id for passage in walk.passages),
        texts=[passage.text for passage in walk.passages],
        entities=list(walk.names),
    )

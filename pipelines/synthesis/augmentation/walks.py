"""Texts that connect passages of different documents: short walks over the entities that they share.

A walk begins at an entity of a passage, goes on to passages on the same topic through entities that both
mention, and ends at an entity that only the last one knows. Ma et al. 2025, "Synthesize-on-Graph",
arXiv 2505.00979, found that such walks teach what texts about single documents do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, permutations

from pipelines.synthesis.ask import each
from pipelines.synthesis.augmentation.entities import Entities, list_entities, mentions
from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.writing import Writing, rank

NOTHING_SHARED = "nothing_shared"
"""The reason of a passage from which no walk leads to another document."""


@dataclass(frozen=True, slots=True)
class Place:
    """A passage, its entities, and those of all places that it mentions."""

    passage: Passage
    names: tuple[str, ...]
    mentioned: frozenset[str]


@dataclass(frozen=True, slots=True)
class Walk:
    """Passages in a row, and the entities that lead from one to the next, with one before and one after."""

    passages: tuple[Passage, ...]
    names: tuple[str, ...]


async def walk_texts(writing: Writing, entities: Entities, most: int, hops: int) -> list[Result]:
    """A text about each of at most `most` walks of at most `hops` steps to related passages."""
    related = writing.passage.related
    lists = await each(list_entities(replace(writing, passage=passage)) for passage in related)
    named = [(writing.passage, entities.names)] + [
        (passage, found.names)
        for passage, found in zip(related, lists, strict=True)
        if isinstance(found, Entities)
    ]
    chosen = list(islice(walks(_places(named), hops), most))
    if not chosen:
        raise RejectedError(Rejection(NOTHING_SHARED))
    return await each(_text(writing, walk, entities.prompt) for walk in chosen)


def _places(named: Sequence[tuple[Passage, tuple[str, ...]]]) -> list[Place]:
    """Passages with their entities, as places."""
    everywhere = {name for _, names in named for name in names}
    places = []
    for passage, names in named:
        text = passage.text.casefold()
        places.append(Place(passage, names, frozenset(n for n in everywhere if mentions(text, n))))
    return places


def walks(places: Sequence[Place], hops: int) -> Iterator[Walk]:
    """The walks of at most `hops` steps from the first place to others, in an order as good as random."""
    start, *others = places
    routes = [[start, *way] for steps in range(1, hops + 1) for way in permutations(others, steps)]
    crossed = [(route, names) for route in routes for names in _crossings(route)]
    for route, names in sorted(crossed, key=lambda one: rank(*_ids(one[0]), *one[1])):
        first, last = route[0], route[-1]
        begin = _drawn(set(first.names) - last.mentioned - {*names}, [*_ids(route), *names])
        end = _drawn(set(last.names) - first.mentioned - {*names}, [*_ids(route), *names])
        if begin and end:
            yield Walk(tuple(place.passage for place in route), (begin, *names, end))


def _ids(places: Sequence[Place]) -> list[str]:
    return [place.passage.id for place in places]


def _crossings(places: Sequence[Place]) -> list[tuple[str, ...]]:
    """Entities that lead from each place to the next, none used twice."""
    ways: list[tuple[str, ...]] = [()]
    for here, there in pairwise(places):
        shared = [name for name in here.names if name in there.mentioned]
        ways = [(*way, name) for way in ways for name in shared if name not in way]
    return ways


def _drawn(names: Collection[str], key: Sequence[str]) -> str | None:
    return min(names, key=lambda name: rank(*key, name), default=None)


async def _text(writing: Writing, walk: Walk, after: str) -> Result:
    return await writing.text(
        "walks",
        after=after,
        passages=tuple(passage.id for passage in walk.passages),
        texts=[passage.text for passage in walk.passages],
        entities=list(walk.names),
    )

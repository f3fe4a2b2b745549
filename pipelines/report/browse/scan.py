"""Finding the documents that are wanted a page at a time, part by part, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

import numpy as np

from pipelines.report.browse.corpus import Corpus, Place
from pipelines.report.filters import Filters, matching_rows, searched
from pipelines.stages.document_rows import Rows

PAGE = 50
"""Documents on a page."""
SECONDS = 1.5
"""How long they are looked for."""


@dataclass
class Budget:
    """The time that is left to look for documents."""

    seconds: float = SECONDS
    given_up: Event = field(default_factory=Event)
    """Whether nobody waits for them any more."""

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    @property
    def is_used(self) -> bool:
        """Whether it is time to say what was found."""
        return self.given_up.is_set() or time.monotonic() >= self._end


@dataclass(frozen=True)
class Scan:
    """Documents that were found, in order; where to go on; how many were looked at, and are there in all."""

    places: list[Place]
    following: Place | None
    """The next document that is wanted or, where the time was used up, the next to look at; None: no more."""
    looked_at: int
    documents: int

    @property
    def is_cut_short(self) -> bool:
        """Whether the time was used up before the page was full."""
        return self.following is not None and len(self.places) < PAGE


def find(corpus: Corpus, filters: Filters, start: Place, budget: Budget) -> Scan:
    """The documents from `start` on that are wanted, at most a page, as many as are found in time.

    However short the time, some more are looked at, so going on from `following` comes to an end.
    """
    documents = sum(corpus.sources[number].documents for number in _sources(corpus, filters))
    places: list[Place] = []
    for found, last in _steps(corpus, filters, start):
        places += found
        if len(places) > PAGE:
            return Scan(places[:PAGE], places[PAGE], _before(corpus, filters, places[PAGE]), documents)
        if budget.is_used and (following := _after(corpus, filters, last)) is not None:
            return Scan(places, following, _before(corpus, filters, following), documents)
    return Scan(places, None, documents, documents)


def _steps(corpus: Corpus, filters: Filters, start: Place) -> Iterator[tuple[list[Place], Place]]:
    """Step by step the places of what is wanted, and of the last document that was looked at."""
    for number in _sources(corpus, filters):
        source = corpus.sources[number]
        for part, name in enumerate(source.names):
            if (number, part) < (start.source, start.part):
                continue

            def places(rows: Rows, number: int = number, part: int = part) -> list[Place]:
                return [Place(number, part, row) for row in rows.tolist()]

            rows = matching_rows(source.parts, source.select, corpus.workdir, name, filters)
            if (number, part) == (start.source, start.part):
                rows = rows[np.searchsorted(rows, start.row) :]
            if filters.search is not None:
                path = source.parts.path(corpus.workdir, name)
                for here, found in searched(path, rows, filters.search):
                    yield places(found), Place(number, part, int(here[-1]))
                rows = rows[:0]
            last = source.before[part + 1] - source.before[part] - 1
            yield places(rows), Place(number, part, last)


def _sources(corpus: Corpus, filters: Filters) -> list[int]:
    """The numbers of the wanted sources."""
    return [n for n, source in enumerate(corpus.sources) if filters.source in (None, source.name)]


def _before(corpus: Corpus, filters: Filters, place: Place) -> int:
    """How many documents of the wanted sources stand before a place."""
    whole = (
        corpus.sources[number].documents for number in _sources(corpus, filters) if number < place.source
    )
    return sum(whole) + corpus.sources[place.source].before[place.part] + place.row


def _after(corpus: Corpus, filters: Filters, place: Place) -> Place | None:
    """The place of the next document of the wanted sources."""
    if (following := corpus.beside(place)[1]) is not None:
        return following
    later = (number for number in _sources(corpus, filters) if number > place.source)
    return next((Place(n, 0, 0) for n in later if corpus.sources[n].documents), None)

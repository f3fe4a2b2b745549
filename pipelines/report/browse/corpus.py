"""The judged documents of a run by place: where each stands, and how many stand before it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

import numpy as np

from pipelines.errors import UserError
from pipelines.graph.build import Graph
from pipelines.report.wanted import Found, judged_sources
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select


@dataclass(frozen=True, order=True)
class Place:
    """Where a document stands: the numbers of its source and part, and its row in that."""

    source: int
    part: int
    row: int

    def __str__(self) -> str:
        return f"{self.source}.{self.part}.{self.row}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that such a string names, whether there is one. Raises UserError where it is none."""
        numbers = text.split(".")
        if len(numbers) != 3 or not all(n.isascii() and n.isdigit() and len(n) < 16 for n in numbers):
            raise UserError("this is no place of a document", hint="Follow a link of a page.")
        return cls(*map(int, numbers))


FIRST = Place(0, 0, 0)


@dataclass(frozen=True)
class Source:
    """The parts of a source; `before`: documents of it before each part, and in all."""

    parts: PartStage
    select: Select
    names: list[str]
    before: list[int]

    @property
    def name(self) -> str:
        """Its name in the recipe."""
        return self.parts.scope

    @property
    def documents(self) -> int:
        """How many it has."""
        return self.before[-1]

    def place_of(self, source: int, number: int) -> Place:
        """The place of the document of that number, counted from 0, in this source, the one numbered so."""
        part = bisect_right(self.before, number) - 1
        return Place(source, part, number - self.before[part])


@dataclass(frozen=True)
class Corpus:
    """The sources of a run that are judged."""

    graph: Graph
    workdir: Path
    sources: list[Source]

    @classmethod
    def open(cls, graph: Graph, workdir: Path) -> Self:
        """Those of a run. Raises WorkError where none is judged yet."""
        sources = []
        for parts, select in judged_sources(graph, workdir, None):
            before = list(accumulate(parts.part_rows(workdir), initial=0))
            sources.append(Source(parts, select, parts.part_names(workdir), before))
        return cls(graph, workdir, sources)

    def found(self, place: Place) -> Found:
        """The document at a place. Raises UserError where there is none."""
        if place.source < len(self.sources):
            source = self.sources[place.source]
            if place.part < len(source.names):
                first, after = source.before[place.part : place.part + 2]
                if place.row < after - first:
                    rows = np.array([place.row])
                    return Found(source.parts, source.select, source.names[place.part], rows, np.zeros(1))
        raise UserError("there is no document at this place", hint="Follow a link of a page.")

    def beside(self, place: Place) -> tuple[Place | None, Place | None]:
        """The places of the documents before and after one of the same source."""
        source = self.sources[place.source]
        number = source.before[place.part] + place.row
        before, after = number - 1, number + 1
        return (
            source.place_of(place.source, before) if before >= 0 else None,
            source.place_of(place.source, after) if after < source.documents else None,
        )

"""The sources that were surveyed, and the tables of their parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.stages.survey.survey import GROUPS, Survey


class Surveyed(NamedTuple):
    """A source, and its survey."""

    survey: Survey
    source: str
    workdir: Path

    def scan(self, kind: str) -> pl.LazyFrame:
        """The tables of a kind of all parts, one after the other."""
        return self.survey.scan(self.workdir, kind, self.source)

    def groups(self) -> pl.DataFrame:
        """The number of `documents` by `group` and `reason`."""
        numbers = self.scan(GROUPS).group_by("group", "reason").agg(pl.sum("documents"))
        return numbers.sort("group", "documents", "reason", descending=[False, True, False]).collect()


def surveyed(graph: Graph, done: Finished) -> Iterator[Surveyed]:
    """The sources of finished surveys, in the order of the graph."""
    surveys = {survey.select.label: survey for survey in done.of(graph.surveys)}
    for parts, select in graph.part_stages():
        if select.label in surveys:
            yield Surveyed(surveys[select.label], parts.scope, done.workdir)

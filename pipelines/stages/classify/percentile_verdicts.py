"""Percentile verdicts: how scores of classifiers become percentiles, buckets, a cut and domains.

No text is read.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from typing_extensions import override

from filters.classify.percentiles import VERSION, Values, best, buckets, in_top, percentiles
from pipelines.errors import UserError
from pipelines.execution.external_sort import sorted_rows
from pipelines.execution.spill import RowValues, TableFile, recut
from pipelines.recipe.classify import BUCKETS, Condition
from pipelines.stages.classify.score import Score
from pipelines.stages.hash_sampling import Keys
from pipelines.stages.parts import PartStage

DOMAIN = "domain"
"""A classifier of this name has no column of its own: its label is the domain."""


PartKeys = Callable[[], Iterator[Keys]]
"""Gives the keys of each part's documents, which break ties."""


class Ranking(NamedTuple):
    """Where documents stand among those that a classifier judges, part by part."""

    positions: Iterator[npt.NDArray[np.int64]]
    """From the lowest, 0; -1 for a document that it does not judge."""
    percentiles: Iterator[Values]
    """In [0, 1); of an ensemble the highest of its members'. NaN where it does not judge."""
    judged: int
    """How many documents it judges."""


@dataclass(frozen=True, kw_only=True)
class Verdicts(ABC):
    """What a classifier, or an ensemble of several, says of documents."""

    name: str
    keep: float | None
    """The share of the best documents that stay; None drops nothing."""

    @property
    @abstractmethod
    def stages(self) -> tuple[Score, ...]:
        """The stages that it reads."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """How it is used; JSON-able."""

    @property
    def members(self) -> list[str]:
        """The names of the classifiers in an ensemble."""
        return []

    @property
    def relabels(self) -> tuple[tuple[str, Condition], ...]:
        """The domains that it may give, each with its condition."""
        return ()

    @abstractmethod
    def ranking(self, workdir: Path, sources: Sequence[PartStage], keys: PartKeys, scratch: Path) -> Ranking:
        """Where each document stands among all that are judged; equal scores are in the order of `keys`."""

    def verdicts(
        self, workdir: Path, sources: Sequence[PartStage], keys: PartKeys, scratch: Path
    ) -> Iterator[pl.DataFrame]:
        """`value` (a bucket or a label), `percentile`, `dropped`, and `domain` if it gives one, by parts."""
        positions, graded, judged = self.ranking(workdir, sources, keys, scratch)
        for position, grade in zip(positions, graded, strict=True):
            dropped = np.zeros(len(position), bool)
            if self.keep is not None:
                dropped = (position >= 0) & ~in_top(position, self.keep, judged)
            yield pl.DataFrame(
                {
                    "value": buckets(grade, BUCKETS),
                    "percentile": percentiles(position, judged),
                    "dropped": dropped,
                }
            ).select(
                pl.when(pl.col("value") >= 0).then("value"),
                pl.col("percentile").fill_nan(None),
                "dropped",
                pl.lit(None, pl.String).alias("domain"),
            )


def _ranked(
    scores: Iterator[Values], keys: Iterator[Keys], sizes: list[int], scratch: Path
) -> tuple[Callable[[], Iterator[npt.NDArray[np.int64]]], int]:
    """What gives the positions of each part's documents by score and key, and how many have a score."""
    places, judged = RowValues(scratch, "positions", sum(sizes)), 0
    for rows in sorted_rows(scratch, "scores", _judged(scores, keys)):
        places.add(pa.table({"row": rows, "position": np.arange(judged, judged + len(rows))}))
        judged += len(rows)

    def positions() -> Iterator[npt.NDArray[np.int64]]:
        of_parts = recut(places.columns(position=-1), sizes)
        return (table.column("position").to_numpy() for table in of_parts)

    return positions, judged


def _judged(scores: Iterator[Values], keys: Iterator[Keys]) -> Iterator[list[npt.NDArray[Any]]]:
    """Score, key and number of those documents that have a score."""
    first = 0
    for score, key in zip(scores, keys, strict=True):
        judged = np.flatnonzero(~np.isnan(score))
        yield [score[judged], key[judged], first + judged]
        first += len(score)


@dataclass(frozen=True, kw_only=True)
class ClassifierVerdicts(Verdicts):
    """The verdicts of one classifier on the documents of some sources."""

    scores: tuple[Score, ...]
    relabel: tuple[tuple[str, Condition], ...] = ()
    needs_scores: bool = True
    """Whether something asks for its scores; otherwise labels will do."""

    @property
    @override
    def stages(self) -> tuple[Score, ...]:
        return self.scores

    @property
    @override
    def settings(self) -> dict[str, Any]:
        relabel = {label: list(condition) for label, condition in self.relabel}
        return {
            "keep": self.keep,
            "relabel": relabel,
            "needs_scores": self.needs_scores,
            "percentiles": VERSION,
        }

    @property
    @override
    def relabels(self) -> tuple[tuple[str, Condition], ...]:
        return self.relabel

    @override
    def ranking(self, workdir: Path, sources: Sequence[PartStage], keys: PartKeys, scratch: Path) -> Ranking:
        if self._gives_labels(workdir):
            raise UserError(
                f"the classifier `{self.name}` gives labels, and a score is asked of it",
                place=f"curate.classify.{self.name}",
                hint="Say which label's probability is the score: `positive: LABEL`.",
            )
        tables = self._tables(workdir, sources)
        scores = (table["score"].cast(pl.Float64).fill_null(np.nan).to_numpy() for table in tables)
        own = Path(tempfile.mkdtemp(dir=scratch))
        positions, judged = _ranked(scores, keys(), _sizes(workdir, sources), own)
        return Ranking(positions(), (percentiles(place, judged) for place in positions()), judged)

    @override
    def verdicts(
        self, workdir: Path, sources: Sequence[PartStage], keys: PartKeys, scratch: Path
    ) -> Iterator[pl.DataFrame]:
        for label, _ in self.relabel:
            self.scores[0].check_label(label, workdir)
        if self.needs_scores or not self._gives_labels(workdir):
            yield from super().verdicts(workdir, sources, keys, scratch)
            return
        for table in self._tables(workdir, sources):
            yield table.select(
                pl.col("label").alias("value"),
                pl.lit(None, pl.Float64).alias("percentile"),
                pl.lit(False).alias("dropped"),
                self._domain().alias("domain"),
            )

    def _gives_labels(self, workdir: Path) -> bool:
        return any(score.gives_labels(workdir) for score in self.scores)

    def _tables(self, workdir: Path, sources: Sequence[PartStage]) -> Iterator[pl.DataFrame]:
        """`label` and `score` of each part's documents; null where it does not judge the source."""
        by_source = {score.parts.scope: score for score in self.scores}
        nothing = pl.DataFrame(schema={"label": pl.String, "score": pl.Float32})
        for parts in sources:
            if parts.scope in by_source:
                score = by_source[parts.scope]
                for table in score.tables(workdir, score.columns):
                    yield pl.DataFrame(pl.from_arrow(table)).cast(nothing.schema)
            else:
                yield from map(nothing.clear, parts.part_rows(workdir))

    def _domain(self) -> pl.Expr:
        """The label, where the condition on it holds."""
        domain: pl.Expr = pl.lit(None, pl.String)
        for label, condition in self.relabel:
            score = pl.col("score")
            enough = score > condition.bound if condition.strict else score >= condition.bound
            domain = pl.when((pl.col("label") == label) & enough).then(pl.lit(label)).otherwise(domain)
        return domain


@dataclass(frozen=True, kw_only=True)
class EnsembleVerdicts(Verdicts):
    """The verdicts of several classifiers together: a document is as good as the best of them says."""

    classifiers: tuple[ClassifierVerdicts, ...]

    @property
    @override
    def stages(self) -> tuple[Score, ...]:
        return tuple(stage for classifier in self.classifiers for stage in classifier.stages)

    @property
    @override
    def members(self) -> list[str]:
        return [classifier.name for classifier in self.classifiers]

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"keep": self.keep, "ensemble": self.members, "percentiles": VERSION}

    @override
    def ranking(self, workdir: Path, sources: Sequence[PartStage], keys: PartKeys, scratch: Path) -> Ranking:
        members = [c.ranking(workdir, sources, keys, scratch).percentiles for c in self.classifiers]
        own = Path(tempfile.mkdtemp(dir=scratch))
        highest = TableFile(own, "highest")
        for of_part in zip(*members, strict=True):
            highest.add(pa.table({"percentile": best(list(of_part))}))
        sizes = _sizes(workdir, sources)

        def graded() -> Iterator[Values]:
            return (table.column("percentile").to_numpy() for table in recut(highest.tables(), sizes))

        positions, judged = _ranked(graded(), keys(), sizes, own)
        return Ranking(positions(), graded(), judged)


def _sizes(workdir: Path, sources: Sequence[PartStage]) -> list[int]:
    """The number of documents of each part."""
    return [rows for parts in sources for rows in parts.part_rows(workdir)]

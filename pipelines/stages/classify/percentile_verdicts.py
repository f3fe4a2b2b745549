"""Percentile verdicts: how scores of classifiers become percentiles, buckets, a cut and domains.

No text is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from typing_extensions import override

from filters.classify.percentiles import VERSION, best, buckets, in_top, percentiles, positions
from pipelines.errors import UserError
from pipelines.recipe.classify import BUCKETS, Condition
from pipelines.stages.classify.score import Score
from pipelines.stages.hash_sampling import Keys
from pipelines.stages.parts import PartStage

DOMAIN = "domain"
"""A classifier of this name has no column of its own: its label is the domain."""


class Ranking(NamedTuple):
    """Where documents stand among those that a classifier judges."""

    position: npt.NDArray[np.int64]
    """From the lowest, 0; -1 for a document that it does not judge."""
    percentile: npt.NDArray[np.float64]
    """In [0, 1); of an ensemble the highest of its members'. NaN where it does not judge."""


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
    def ranking(self, workdir: Path, sources: Sequence[PartStage], keys: Keys) -> Ranking:
        """Where each document stands among all that are judged; equal scores are in the order of `keys`."""

    def verdicts(self, workdir: Path, sources: Sequence[PartStage], keys: Keys) -> pl.DataFrame:
        """`value` (a bucket or a label), `percentile`, `dropped`, and `domain` where it gives one."""
        position, percentile = self.ranking(workdir, sources, keys)
        dropped = np.zeros(len(position), bool)
        if self.keep is not None:
            dropped = (position >= 0) & ~in_top(position, self.keep)
        return pl.DataFrame(
            {
                "value": buckets(percentile, BUCKETS),
                "percentile": percentiles(position),
                "dropped": dropped,
            }
        ).select(
            pl.when(pl.col("value") >= 0).then("value"),
            pl.col("percentile").fill_nan(None),
            "dropped",
            pl.lit(None, pl.String).alias("domain"),
        )


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
    def ranking(self, workdir: Path, sources: Sequence[PartStage], keys: Keys) -> Ranking:
        if self._gives_labels(workdir):
            raise UserError(
                f"the classifier `{self.name}` gives labels, and a score is asked of it",
                place=f"curate.classify.{self.name}",
                hint="Say which label's probability is the score: `positive: LABEL`.",
            )
        scores = self._table(workdir, sources)["score"]
        position = positions(scores.cast(pl.Float64).fill_null(np.nan).to_numpy(), keys)
        return Ranking(position, percentiles(position))

    @override
    def verdicts(self, workdir: Path, sources: Sequence[PartStage], keys: Keys) -> pl.DataFrame:
        for label, _ in self.relabel:
            self.scores[0].check_label(label, workdir)
        if self.needs_scores or not self._gives_labels(workdir):
            return super().verdicts(workdir, sources, keys)
        return self._table(workdir, sources).select(
            pl.col("label").alias("value"),
            pl.lit(None, pl.Float64).alias("percentile"),
            pl.lit(False).alias("dropped"),
            self._domain().alias("domain"),
        )

    def _gives_labels(self, workdir: Path) -> bool:
        return any(score.gives_labels(workdir) for score in self.scores)

    def _table(self, workdir: Path, sources: Sequence[PartStage]) -> pl.DataFrame:
        """`label` and `score` of all documents; null where it does not judge the source."""
        by_source = {score.parts.scope: score for score in self.scores}
        frames = [pl.DataFrame(schema={"label": pl.String, "score": pl.Float32})]
        for parts in sources:
            if parts.scope in by_source:
                frames.append(pl.DataFrame(pl.from_arrow(by_source[parts.scope].scores(workdir))))
            else:
                frames.append(frames[0].clear(sum(parts.part_rows(workdir))))
        return pl.concat(frames)

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
    def ranking(self, workdir: Path, sources: Sequence[PartStage], keys: Keys) -> Ranking:
        rankings = [classifier.ranking(workdir, sources, keys) for classifier in self.classifiers]
        percentile = best([ranking.percentile for ranking in rankings])
        return Ranking(positions(percentile, keys), percentile)

"""Judges: how the scores of classifiers become percentiles, buckets, a cut and domains. No text is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from filters.classify.percentiles import best, buckets, in_top, percentiles, positions
from pipelines.errors import UserError
from pipelines.recipe.classify import BUCKETS, Condition
from pipelines.stages.annotate import Annotate
from pipelines.stages.classify.score import Score
from pipelines.stages.hash_sampling import Keys


class Standing(NamedTuple):
    """Where documents stand among those that a classifier judges."""

    place: npt.NDArray[np.int64]
    """From the lowest, 0; -1 for a document that it does not judge."""
    share: npt.NDArray[np.float64]
    """The percentile, in [0, 1); of an ensemble the highest of its members'. NaN where it does not judge."""


DOMAIN = "domain"
"""A classifier of this name has no column of its own: what it says is the domain."""


@dataclass(frozen=True)
class Judge:
    """A classifier as it is used: its scores of some sources, or the members of an ensemble."""

    name: str
    scores: tuple[Score, ...] = ()
    members: tuple[Judge, ...] = ()
    keep: float | None = None
    relabel: tuple[tuple[str, Condition], ...] = ()
    of_scores: bool = True
    """Whether something needs its scores; otherwise labels will do."""

    @property
    def stages(self) -> tuple[Score, ...]:
        """The stages that it reads."""
        return (*self.scores, *(stage for member in self.members for stage in member.stages))

    @property
    def settings(self) -> dict[str, Any]:
        """How it is used; JSON-able."""
        relabel = {label: list(condition) for label, condition in self.relabel}
        members = [member.name for member in self.members]
        return {"keep": self.keep, "relabel": relabel, "ensemble": members, "needs_score": self.of_scores}

    def table(self, workdir: Path, annotations: tuple[Annotate, ...]) -> pl.DataFrame:
        """`label` and `score` of all documents; null where it does not judge the source."""
        by_source = {score.parts.scope: score for score in self.scores}
        frames = [pl.DataFrame(schema={"label": pl.String, "score": pl.Float32})]
        for annotation in annotations:
            if annotation.scope in by_source:
                frames.append(pl.DataFrame(pl.from_arrow(by_source[annotation.scope].table(workdir))))
            else:
                frames.append(frames[0].clear(sum(annotation.parts.part_rows(workdir))))
        return pl.concat(frames)

    def standing(self, workdir: Path, annotations: tuple[Annotate, ...], keys: Keys) -> Standing:
        """Where each document stands among all that it judges; equal scores are in the order of `keys`."""
        if self.members:
            shares = best([member.standing(workdir, annotations, keys).share for member in self.members])
            return Standing(positions(shares, keys), shares)
        if self._gives_labels(workdir):
            raise UserError(
                f"the classifier `{self.name}` gives labels, and a score is asked of it",
                place=f"curate.classify.{self.name}",
                hint="Say which label's probability is the score: `positive: LABEL`.",
            )
        scores = self.table(workdir, annotations)["score"]
        place = positions(scores.cast(pl.Float64).fill_null(np.nan).to_numpy(), keys)
        return Standing(place, percentiles(place))

    def verdicts(self, workdir: Path, annotations: tuple[Annotate, ...], keys: Keys) -> pl.DataFrame:
        """`value` (a bucket or a label), `percentile`, `dropped`, and `domain` where it says one."""
        for label, _ in self.relabel:
            self.scores[0].check_label(label, workdir)
        if not self.of_scores and self._gives_labels(workdir):
            return self.table(workdir, annotations).select(
                pl.col("label").alias("value"),
                pl.lit(None, pl.Float64).alias("percentile"),
                pl.lit(False).alias("dropped"),
                self._domain().alias("domain"),
            )
        place, share = self.standing(workdir, annotations, keys)
        bucket = pl.Series(buckets(share, BUCKETS))
        cut = np.zeros(len(place), bool) if self.keep is None else (place >= 0) & ~in_top(place, self.keep)
        return pl.DataFrame({"value": bucket, "percentile": percentiles(place), "dropped": cut}).select(
            pl.when(pl.col("value") >= 0).then("value"),
            pl.col("percentile").fill_nan(None),
            "dropped",
            pl.lit(None, pl.String).alias("domain"),
        )

    def _gives_labels(self, workdir: Path) -> bool:
        return any(score.gives_labels(workdir) for score in self.scores)

    def _domain(self) -> pl.Expr:
        """The label, where the condition on it holds."""
        domain: pl.Expr = pl.lit(None, pl.String)
        for label, condition in self.relabel:
            enough = (
                pl.col("score") > condition.bound if condition.strict else pl.col("score") >= condition.bound
            )
            domain = pl.when((pl.col("label") == label) & enough).then(pl.lit(label)).otherwise(domain)
        return domain

"""Held-out choice: which clusters of documents are held out of each domain, seeing each document once.

Nothing is tokenized yet, so what is enough counts in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.stages.classify.percentile_verdicts import DOMAIN

MOST_FOR_LEAST = 0.05
"""Of a small domain so much is held out at most, where the share itself is not more."""
CLUSTERS_AT_ONCE = 1 << 20
BY_DRAW = (DOMAIN, "draw", "component")
CLUSTERS = pl.DataFrame(
    schema={
        DOMAIN: pl.String,
        "component": pl.Int64,
        "draw": pl.Float64,
        "bytes": pl.Int64,
        "evaluated": pl.Int64,
    }
)
"""No clusters; of each domain that a cluster has documents of there is a row."""


@dataclass
class HeldOutChoice:
    """Of each domain those clusters whose draw falls under the share, and the next to have enough.

    There is at least one cluster of each domain. What is needed are the first ones in the order of their
    draws: so only these are held in memory, as many as have `least` bytes together.
    """

    share: float
    least: int
    """Bytes that at least are held out of a domain, as far as `MOST_FOR_LEAST` allows."""
    _first: pl.DataFrame = field(default_factory=CLUSTERS.clone)
    """The first clusters of each domain by their draws, as far as documents were seen."""
    _whole: dict[str, int] = field(default_factory=dict)
    """Bytes of each domain."""
    _last: dict[str, float] = field(default_factory=dict)
    """The draw after which no cluster is needed, of domains that have enough."""

    def see(self, documents: pl.DataFrame) -> None:
        """Take note of documents that may be held out (the columns of `CLUSTERS`)."""
        for domain, size in documents.group_by(DOMAIN).agg(pl.sum("bytes")).iter_rows():
            self._whole[domain] = self._whole.get(domain, 0) + size
        last = pl.col(DOMAIN).replace_strict(self._last, default=1.0, return_dtype=pl.Float64)
        self._first = pl.concat([self._first, documents.filter(pl.col("draw") <= last)])
        if len(self._first) > CLUSTERS_AT_ONCE:
            self._first = self._needed_at_most()
            last_draws = self._first.group_by(DOMAIN).agg(
                pl.max("draw"), enough=pl.sum("evaluated") >= max(self.least, 1)
            )
            self._last = {domain: draw for domain, draw, enough in last_draws.iter_rows() if enough}

    def _needed_at_most(self) -> pl.DataFrame:
        """The clusters that are needed where no share bounds them, and what is evaluated before each."""
        clusters = self._first.group_by(DOMAIN, "component").agg(
            pl.first("draw"), pl.sum("bytes"), pl.sum("evaluated")
        )
        before = pl.col("evaluated").cum_sum().over(DOMAIN) - pl.col("evaluated")
        return clusters.sort(BY_DRAW).filter(before < max(self.least, 1)).select(CLUSTERS.columns)

    def needed(self) -> npt.NDArray[np.int64]:
        """The clusters that are held out whatever the share."""
        clusters = self._needed_at_most().with_columns(
            before=pl.col("evaluated").cum_sum().over(DOMAIN) - pl.col("evaluated"),
            taken=pl.col("bytes").cum_sum().over(DOMAIN),
            whole=pl.col(DOMAIN).replace_strict(self._whole, default=0, return_dtype=pl.Int64),
        )
        within = pl.col("taken") <= MOST_FOR_LEAST * pl.col("whole")
        needed = clusters.filter((pl.col("before") == 0) | ((pl.col("before") < self.least) & within))
        return np.unique(needed["component"].to_numpy())

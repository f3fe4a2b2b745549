"""Rank: numbers all documents and says which of several duplicates is preferred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from filters.exact import first_equal
from pipelines.draw import first_words
from pipelines.stage import Stage, Task, TaskOutput, distinct
from pipelines.stages.annotate import Annotate, sidecars
from pipelines.stages.judges import Judge

FILE = "rank.arrow"
ORDER = "order.arrow"


@dataclass(frozen=True)
class Rank(Stage):
    """One task. Output: `rank.arrow`, a row a document, in the order of sources and parts:

    `rank` int64 (0 is preferred to all others), `exact_group` int64 (the first document of equal normalised
    text), `repeated_id` bool (the same doc_id stands earlier), `reference` bool (only compared against).

    And `order.arrow`, a row for each different text, the most preferred first: `document` int64, the first
    that has it, and `reference` bool, whether a reference has it.
    """

    name: ClassVar[str] = "rank"
    version: ClassVar[int] = 2
    annotations: tuple[Annotate, ...]
    priorities: tuple[int, ...]
    keep: tuple[str, ...]
    exact: bool
    against: tuple[str, ...] = ()
    quality: Judge | None = None

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The annotations of all sources, and the scores that the policy asks about."""
        return (*self.annotations, *distinct(self.quality.stages if self.quality else ()))

    @property
    def settings(self) -> dict[str, Any]:
        """The policy."""
        settings = {"priorities": list(self.priorities), "keep": list(self.keep), "exact": self.exact}
        settings |= {"against": list(self.against)} if self.against else {}
        return settings | ({"quality": self.quality.settings["ensemble"]} if self.quality else {})

    def tasks(self, workdir: Path) -> list[Task]:
        """One: ranks compare all with all."""
        return [{}]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents."""
        return {"documents": sum(sum(annotation.parts.part_rows(workdir)) for annotation in self.annotations)}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Sort by the policy and group by normalised text."""
        documents = pl.concat([self._documents(i, workdir) for i in range(len(self.annotations))])
        best_first = self._best_first(documents.with_columns(self._quality(workdir)))
        count = len(best_first)
        rank = np.empty(count, np.int64)
        rank[best_first] = np.arange(count)
        group = first_equal(self._column("content_hash", workdir)) if self.exact else np.arange(count)
        repeated = first_equal(self._column("doc_id", workdir)) != np.arange(count)
        reference = documents["reference"].to_numpy()
        ranks = {"rank": rank, "exact_group": group, "repeated_id": repeated, "reference": reference}
        output.write_arrow(FILE, pa.table(ranks))
        texts, best = _different_texts(rank, group)
        order = {"document": texts, "reference": reference[best_first[best]]}
        output.write_arrow(ORDER, pa.table(order))
        output.counts.flow("documents", entered=count, left=count)

    def _best_first(self, documents: pl.DataFrame) -> npt.NDArray[np.int64]:
        """Document numbers, the most preferred first."""
        names = ["reference", *("bytes" if policy == "length" else policy for policy in self.keep)]
        most = [-documents[name].to_numpy().astype(np.float64) for name in names]
        # `lexsort` sorts by its last key first; it is stable, so documents alike in all stay in order.
        return np.lexsort(most[::-1])

    def _documents(self, number: int, workdir: Path) -> pl.DataFrame:
        """What the policy asks about."""
        annotation = self.annotations[number]
        frame = pl.DataFrame(pl.from_arrow(sidecars(annotation, workdir, ["bytes"])))
        return frame.select(
            pl.col("bytes").cast(pl.Int64),
            pl.lit(self.priorities[number]).alias("priority"),
            pl.lit(annotation.scope in self.against).alias("reference"),
        )

    def _quality(self, workdir: Path) -> pl.Series | pl.Expr:
        """The percentile of each document's score, under all others where it has none."""
        if self.quality is None:
            return pl.lit(None, pl.Float64).alias("quality")
        hashes = pa.chunked_array(
            [self._column("content_hash", workdir).cast(pa.binary()).cast(pa.binary(16))]
        )
        standing = self.quality.standing(workdir, self.annotations, first_words(hashes))
        return pl.Series("quality", standing.share).fill_nan(-1.0)

    def _column(self, name: str, workdir: Path) -> pa.Array:
        """A column of all sidecars, in document order."""
        tables = [sidecars(annotation, workdir, [name]) for annotation in self.annotations]
        chunks = [chunk.cast(pa.large_binary()) for table in tables for chunk in table.column(name).chunks]
        return pa.concat_arrays([pa.array([], pa.large_binary()), *chunks])


def _different_texts(
    rank: npt.NDArray[np.int64], group: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first document of each exact group, and the rank of its best one, the best group first.

    Which document stands for a group does not depend on the policy, so what was verified for it is kept when
    the policy changes.
    """
    best = np.full(len(rank), len(rank))
    np.minimum.at(best, group, rank)
    first = np.flatnonzero(group == np.arange(len(rank)))
    first = first[np.argsort(best[first])]
    return first, best[first]

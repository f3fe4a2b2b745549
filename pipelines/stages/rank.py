"""Rank: numbers all documents and says which of several duplicates is preferred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from pipelines.stage import Stage, Task, TaskOutput
from pipelines.stages.annotate import Annotate, sidecars

FILE = "rank.parquet"


@dataclass(frozen=True)
class Rank(Stage):
    """One task. Output: `rank.parquet`, a row a document, in the order of sources and parts:

    `rank` int64 (0 is preferred to all others), `exact_group` int64 (equal for documents of equal normalised
    text), `repeated_id` bool (the same doc_id stands earlier).
    """

    name: ClassVar[str] = "rank"
    version: ClassVar[int] = 1
    annotations: tuple[Annotate, ...]
    priorities: tuple[int, ...]
    keep: tuple[str, ...]
    exact: bool

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The annotations of all sources."""
        return self.annotations

    @property
    def settings(self) -> dict[str, Any]:
        """The policy."""
        return {"priorities": list(self.priorities), "keep": list(self.keep), "exact": self.exact}

    def tasks(self, workdir: Path) -> list[Task]:
        """One: ranks compare all with all."""
        return [{}]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents."""
        return {"documents": sum(sum(annotation.parts.part_rows(workdir)) for annotation in self.annotations)}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Sort by the policy and group by normalised text."""
        documents = pl.concat([self._documents(i, workdir) for i in range(len(self.annotations))])
        documents = documents.with_row_index("document")
        order = {"priority": (pl.col("priority"), True), "length": (pl.col("bytes"), True)}
        by = [order[name] for name in self.keep] + [(pl.col("document"), False)]
        sorted_documents = documents.sort([column for column, _ in by], descending=[down for _, down in by])
        rank = np.empty(len(documents), np.int64)
        rank[sorted_documents["document"].to_numpy()] = np.arange(len(documents))
        group = pl.col("document").first().over("content_hash") if self.exact else pl.col("document")
        result = documents.select(
            pl.Series("rank", rank),
            group.cast(pl.Int64).alias("exact_group"),
            (~pl.col("doc_id").is_first_distinct()).alias("repeated_id"),
        )
        output.write_table(FILE, result.to_arrow())
        output.counts.flow("documents", entered=len(documents), left=len(result))

    def _documents(self, number: int, workdir: Path) -> pl.DataFrame:
        columns = ["doc_id", "bytes", "content_hash"]
        frame = pl.DataFrame(pl.from_arrow(sidecars(self.annotations[number], workdir, columns)))
        return frame.select(
            pl.col("doc_id").cast(pl.String),
            pl.col("bytes").cast(pl.Int64),
            pl.col("content_hash").cast(pl.Binary),
            pl.lit(self.priorities[number]).alias("priority"),
        )

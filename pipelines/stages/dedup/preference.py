"""Rank: numbers all documents and says which of several duplicates is preferred."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.dedup.exact import first_equal, likely_shared, value_hashes
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage, distinct
from pipelines.stages.annotate import Annotate, sidecar_parts, sidecar_values
from pipelines.stages.classify.percentile_verdicts import Judge
from pipelines.stages.hash_sampling import first_words

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
        return {"documents": sum(self._rows(workdir))}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Sort by the policy and group by normalised text."""
        rows = self._rows(workdir)
        reference = np.repeat([annotation.scope in self.against for annotation in self.annotations], rows)
        best_first = self._best_first(reference, np.repeat(self.priorities, rows), workdir)
        count = len(best_first)
        rank = np.empty(count, np.int64)
        rank[best_first] = np.arange(count)
        group = self._first_equal("content_hash", workdir) if self.exact else np.arange(count)
        repeated = self._first_equal("doc_id", workdir) != np.arange(count)
        ranks = {"rank": rank, "exact_group": group, "repeated_id": repeated, "reference": reference}
        output.write_arrow(FILE, pa.table(ranks))
        texts, best = _different_texts(rank, group)
        order = {"document": texts, "reference": reference[best_first[best]]}
        output.write_arrow(ORDER, pa.table(order))
        output.counts.flow("documents", entered=count, left=count)

    def _rows(self, workdir: Path) -> list[int]:
        """Documents of each annotation."""
        return [sum(annotation.parts.part_rows(workdir)) for annotation in self.annotations]

    def _best_first(
        self, reference: npt.NDArray[np.bool_], priority: npt.NDArray[np.int64], workdir: Path
    ) -> npt.NDArray[np.int64]:
        """Document numbers, the most preferred first."""
        lowest_first: list[npt.NDArray[Any]] = [~reference]
        for policy in self.keep:
            if policy == "priority":
                lowest_first.append(-priority)
            elif policy == "length":
                sizes = [column.to_numpy() for column in self._column("bytes", workdir)]
                lowest_first.append(-np.concatenate([np.empty(0, np.int64), *sizes]))
            elif self.quality:
                lowest_first.append(-self._percentiles(self.quality, workdir))
        # `lexsort` sorts by its last key first; it is stable, so documents alike in all stay in order.
        return np.lexsort(lowest_first[::-1])

    def _percentiles(self, quality: Judge, workdir: Path) -> npt.NDArray[np.float64]:
        """The percentile of each document's score, under all others where it has none."""
        keys = [np.empty(0, np.uint64), *map(first_words, self._column("content_hash", workdir))]
        standing = quality.standing(workdir, self.annotations, np.concatenate(keys))
        return np.nan_to_num(standing.share, nan=-1.0)

    def _first_equal(self, name: str, workdir: Path) -> npt.NDArray[np.int64]:
        """For each document the first that has the same in a column. Only values that recur are held."""
        keys = [np.empty(0, np.uint64)]
        keys += [value_hashes(chunk) for column in self._column(name, workdir) for chunk in column.chunks]
        recurring = np.flatnonzero(likely_shared(np.concatenate(keys)))
        values = sidecar_values(self.annotations, workdir, name, recurring)
        first = np.arange(sum(map(len, keys)))
        first[recurring] = recurring[first_equal(values)]
        return first

    def _column(self, name: str, workdir: Path) -> Iterator[pa.ChunkedArray]:
        """A column of each sidecar, in document order."""
        for annotation in self.annotations:
            for table in sidecar_parts(annotation, workdir, [name]):
                yield table.column(name)


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

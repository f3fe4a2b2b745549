"""Preference: numbers all documents and says which of several duplicates is preferred."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from typing_extensions import override

from filters.dedup.exact import first_equal, likely_shared
from filters.text.values import value_hashes
from pipelines.execution.output import Task, TaskOutput, read_arrow
from pipelines.execution.stage import ReducingStage, Stage, distinct
from pipelines.stages.classify.percentile_verdicts import Verdicts
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.hash_sampling import first_words
from pipelines.stages.parts import PartStage
from pipelines.stages.sidecar import values_of_documents

DOCUMENTS = "documents.arrow"
ORDER = "order.arrow"


@dataclass(frozen=True, kw_only=True)
class Preference(ReducingStage):
    """Output: `documents.arrow`, a row a document, in the order of sources and parts:

    `place` int64 (0 is preferred to all others), `exact_group` int64 (the first document of equal normalised
    text), `repeated_id` bool (the same doc_id stands earlier), `reference` bool (only compared against).

    And `order.arrow`, a row for each different text, the most preferred first: `document` int64, the first
    that has it, and `reference` bool, whether a reference has it.
    """

    name: ClassVar[str] = "preference"
    version: ClassVar[int] = 1
    hashes: tuple[Hashes, ...]
    priorities: tuple[int, ...]
    keep: tuple[str, ...]
    exact: bool
    against: tuple[str, ...] = ()
    quality: Verdicts | None = None
    """Whose percentile decides where `keep` says `quality`."""

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (*self.hashes, *distinct(self.quality.stages if self.quality else ()))

    @property
    @override
    def settings(self) -> dict[str, Any]:
        settings = {"priorities": list(self.priorities), "keep": list(self.keep), "exact": self.exact}
        settings |= {"against": list(self.against)} if self.against else {}
        return settings | ({"quality": self.quality.members} if self.quality else {})

    @property
    def parts(self) -> tuple[PartStage, ...]:
        """The stages that make the documents."""
        return tuple(hashes.parts for hashes in self.hashes)

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return {"documents": sum(self._rows(workdir))}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        rows = self._rows(workdir)
        reference = np.repeat([parts.scope in self.against for parts in self.parts], rows)
        best_first = self._best_first(reference, np.repeat(self.priorities, rows), workdir)
        count = len(best_first)
        place = np.empty(count, np.int64)
        place[best_first] = np.arange(count)
        group = self._first_equal("content_hash", workdir) if self.exact else np.arange(count)
        repeated = self._first_equal("doc_id", workdir) != np.arange(count)
        columns = {"place": place, "exact_group": group, "repeated_id": repeated, "reference": reference}
        output.write_arrow(DOCUMENTS, pa.table(columns))
        texts, best = _different_texts(place, group)
        order = {"document": texts, "reference": reference[best_first[best]]}
        output.write_arrow(ORDER, pa.table(order))
        output.counts.flow("documents", entered=count, left=count)

    def _rows(self, workdir: Path) -> list[int]:
        """Documents of each source."""
        return [sum(parts.part_rows(workdir)) for parts in self.parts]

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

    def _percentiles(self, quality: Verdicts, workdir: Path) -> npt.NDArray[np.float64]:
        """The percentile of each document's score, under all others where it has none."""
        keys = [np.empty(0, np.uint64), *map(first_words, self._column("content_hash", workdir))]
        ranking = quality.ranking(workdir, self.parts, np.concatenate(keys))
        return np.nan_to_num(ranking.percentile, nan=-1.0)

    def _first_equal(self, name: str, workdir: Path) -> npt.NDArray[np.int64]:
        """For each document the first that has the same in a column. Only values that recur are held."""
        keys = [np.empty(0, np.uint64)]
        keys += [value_hashes(chunk) for column in self._column(name, workdir) for chunk in column.chunks]
        recurring = np.flatnonzero(likely_shared(np.concatenate(keys)))
        values = values_of_documents(self.hashes, workdir, name, recurring)
        first = np.arange(sum(map(len, keys)))
        first[recurring] = recurring[first_equal(values)]
        return first

    def _column(self, name: str, workdir: Path) -> Iterator[pa.ChunkedArray]:
        """A column of each part's hashes, in document order."""
        for hashes in self.hashes:
            for table in hashes.tables(workdir, [name]):
                yield table.column(name)

    def documents(self, workdir: Path) -> pa.Table:
        """The table of all documents, memory-mapped."""
        return read_arrow(self.path(workdir, DOCUMENTS))

    def order(self, workdir: Path) -> pa.Table:
        """The table of different texts, memory-mapped."""
        return read_arrow(self.path(workdir, ORDER))


def _different_texts(
    place: npt.NDArray[np.int64], group: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first document of each exact group, and the place of its best one, the best group first.

    Which document stands for a group does not depend on the policy, so what was verified for it is kept when
    the policy changes.
    """
    best = np.full(len(place), len(place))
    np.minimum.at(best, group, place)
    first = np.flatnonzero(group == np.arange(len(place)))
    first = first[np.argsort(best[first])]
    return first, best[first]

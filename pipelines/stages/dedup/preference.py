"""Preference: numbers all documents and says which of several duplicates is preferred."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.text.values import value_hashes
from pipelines.execution.external_sort import sorted_rows
from pipelines.execution.output import Task, TaskOutput, arrow_tables
from pipelines.execution.scratch import scratch_folder
from pipelines.execution.spill import RowValues, recut
from pipelines.execution.stage import ReducingStage, Stage, distinct
from pipelines.stages.classify.percentile_verdicts import Verdicts
from pipelines.stages.dedup.equal_values import equal_values
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.hash_sampling import Keys, first_words
from pipelines.stages.parts import PartStage

DOCUMENTS = "documents.arrow"
NUMBERS = ("place", "exact_group", "text_place")
FLAGS = ("alone", "text_reference", "text_discarded", "repeated_id", "reference", "discarded")
SCHEMA = pa.schema([*((name, pa.int64()) for name in NUMBERS), *((name, pa.bool_()) for name in FLAGS)])


class Selection(ReducingStage):
    """A stage that says which documents of some sources are kept."""

    @abstractmethod
    def kept(self, workdir: Path, source: str, part: str) -> npt.NDArray[np.bool_]:
        """Whether each document of a part is kept."""


@dataclass(frozen=True)
class Standing:
    """A source of an earlier increment: what was kept of it stands, and the rest is compared with nothing."""

    source: str
    selection: Selection


@dataclass(frozen=True, kw_only=True)
class Preference(ReducingStage):
    """Output: `documents.arrow`, a row a document, in the order of sources and parts:

    `place` int64 (0 is preferred to all others), `exact_group` int64 (the first document of equal normalised
    text), `text_place` int64 (of that first document, the place of the most preferred one with its text),
    `text_reference` bool (of that first document, whether a reference has its text), `text_discarded` bool
    (whether none but discarded ones have it), `alone` bool (no other has its text), `repeated_id` bool (the
    same doc_id stands earlier), `reference` bool (only compared against; references are preferred to all
    others), `discarded` bool (an earlier increment did not keep it; all others are preferred to it).

    What is sorted lies in files: memory does not grow with the number of documents.
    """

    name: ClassVar[str] = "preference"
    version: ClassVar[int] = 2
    hashes: tuple[Hashes, ...]
    priorities: tuple[int, ...]
    keep: tuple[str, ...]
    exact: bool
    against: tuple[str, ...] = ()
    standing: tuple[Standing, ...] = ()
    quality: Verdicts | None = None
    """Whose percentile decides where `keep` says `quality`."""

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        earlier = distinct(each.selection for each in self.standing)
        return (*self.hashes, *distinct(self.quality.stages if self.quality else ()), *earlier)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        settings = {"priorities": list(self.priorities), "keep": list(self.keep), "exact": self.exact}
        settings |= {"against": list(self.against)} if self.against else {}
        settings |= {"standing": [each.source for each in self.standing]} if self.standing else {}
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
        count = sum(self._rows(workdir))
        with scratch_folder(output.folder) as scratch:
            places = RowValues(scratch, "places", count)
            first = 0
            for rows in sorted_rows(scratch, "keys", self._keys(workdir, scratch)):
                places.add(pa.table({"row": rows, "place": np.arange(first, first + len(rows))}))
                first += len(rows)
            groups = self._groups(places, workdir, scratch)
            repeated = self._repeated(workdir, scratch)
            with output.arrow_batches(DOCUMENTS, SCHEMA, count) as write:
                for table in self._documents(places, groups, repeated, workdir):
                    write(table)
        output.counts.flow("documents", entered=count, left=count)

    def _documents(
        self, places: RowValues, groups: RowValues, repeated: RowValues, workdir: Path
    ) -> Iterator[pa.Table]:
        """What is written of the documents, run by run."""
        of_ranks = sum(np.bincount(ranks, minlength=3) for _, _, ranks in self._parts(workdir))
        references, wanted, _ = np.cumsum(np.zeros(3, np.int64) + of_ranks)
        first = 0
        for places_, groups_, repeated_ in zip(
            places.columns(place=-1),
            groups.columns(first=None, best=-1),
            repeated.columns(first=None),
            strict=True,
        ):
            own = np.arange(first, first + places_.num_rows)
            first += len(own)
            place, group, best = (column.to_numpy() for column in (*places_.columns, *groups_.columns))
            alone, text_place = (group == own) & (best < 0), np.where(best < 0, place, best)
            columns = {
                "place": place,
                "exact_group": group,
                "text_place": text_place,
                "alone": alone,
                "text_reference": text_place < references,
                "text_discarded": text_place >= wanted,
                "repeated_id": repeated_.column("first").to_numpy() != own,
                "reference": place < references,
                "discarded": place >= wanted,
            }
            yield pa.table(columns, schema=SCHEMA)

    def _rows(self, workdir: Path) -> list[int]:
        """Documents of each source."""
        return [sum(parts.part_rows(workdir)) for parts in self.parts]

    def _parts(self, workdir: Path) -> Iterator[tuple[Hashes, str, npt.NDArray[np.int8]]]:
        """Each part in order: the stage of its hashes, its name, and what each document is to the others.

        That is 0 for references, 1 for documents that are to be selected, 2 for those that an earlier
        increment did not keep.
        """
        selections = {each.source: each.selection for each in self.standing}
        for hashes in self.hashes:
            source = hashes.parts.scope
            for name, rows in zip(
                hashes.parts.part_names(workdir), hashes.parts.part_rows(workdir), strict=True
            ):
                if source in selections:
                    kept = selections[source].kept(workdir, source, name)
                    yield hashes, name, np.where(kept, 0, 2).astype(np.int8)
                else:
                    yield hashes, name, np.full(rows, source not in self.against, np.int8)

    def _keys(self, workdir: Path, scratch: Path) -> Iterator[list[npt.NDArray[Any]]]:
        """What decides, of each part's documents: the lowest is preferred. Their numbers are last."""
        lowest_priority_last = {p: n for n, p in enumerate(sorted(set(self.priorities), reverse=True))}
        priority_of = {h.scope: p for h, p in zip(self.hashes, self.priorities, strict=True)}
        percentiles = self._percentiles(workdir, scratch)
        first = 0
        for hashes, name, ranks in self._parts(workdir):
            keys: list[npt.NDArray[Any]] = [ranks]
            for policy in self.keep:
                if policy == "priority":
                    code = lowest_priority_last[priority_of[hashes.scope]]
                    keys.append(np.full(len(ranks), code, np.int16))
                elif policy == "length":
                    keys.append(-hashes.table(workdir, name, ["bytes"]).column("bytes").to_numpy())
                elif self.quality:
                    keys.append(-next(percentiles))
            yield [*keys, np.arange(first, first + len(ranks))]
            first += len(ranks)

    def _percentiles(self, workdir: Path, scratch: Path) -> Iterator[npt.NDArray[np.float64]]:
        """The percentile of each part's documents, under all others where they have none."""
        if self.quality:
            ranking = self.quality.ranking(workdir, self.parts, lambda: self._words(workdir), scratch)
            for percentile in ranking.percentiles:
                yield np.nan_to_num(percentile, nan=-1.0)

    def _words(self, workdir: Path) -> Iterator[Keys]:
        """The first words of the hashes of each part's documents."""
        return (first_words(table.column("content_hash")) for table in self._tables("content_hash", workdir))

    def _groups(self, places: RowValues, workdir: Path, scratch: Path) -> RowValues:
        """Documents of equal text."""
        rows = self._rows(workdir)
        if not self.exact:
            return RowValues(scratch, "groups", sum(rows))
        sizes = [rows for parts in self.parts for rows in parts.part_rows(workdir)]
        tables = self._values("content_hash", workdir)
        placed = (
            table.append_column("place", place.column("place"))
            for table, place in zip(tables, recut(places.columns(place=-1), sizes), strict=True)
        )
        return equal_values(scratch, "groups", placed, sum(rows))

    def _repeated(self, workdir: Path, scratch: Path) -> RowValues:
        """Documents of equal ids. Only ids whose hash recurs are compared."""
        count = sum(self._rows(workdir))
        sizes = [rows for parts in self.parts for rows in parts.part_rows(workdir)]
        hashed = equal_values(scratch, "ids-hashed", map(_hashed, self._values("doc_id", workdir)), count)
        recurring = (
            table.append_column("place", table.column("row")).filter(
                pc.greater_equal(first.column("first"), 0)
            )
            for table, first in zip(
                self._values("doc_id", workdir), recut(hashed.columns(first=-1), sizes), strict=True
            )
        )
        return equal_values(scratch, "ids", recurring, count)

    def _tables(self, name: str, workdir: Path) -> Iterator[pa.Table]:
        """A column of each part's hashes, in document order."""
        return (table for hashes in self.hashes for table in hashes.tables(workdir, [name]))

    def _values(self, name: str, workdir: Path) -> Iterator[pa.Table]:
        """The same as `value`, with the number of each document as `row`."""
        first = 0
        for table in self._tables(name, workdir):
            rows = np.arange(first, first + table.num_rows)
            yield pa.table({"value": table.column(name), "row": rows})
            first += table.num_rows

    def documents(self, workdir: Path) -> Iterator[pa.Table]:
        """The table of all documents, some at a time."""
        return arrow_tables(self.path(workdir, DOCUMENTS))


def _hashed(table: pa.Table) -> pa.Table:
    """Hashes in place of values; `place` is of no account."""
    hashes = [value_hashes(chunk) for chunk in table.column("value").chunks]
    words = np.concatenate([np.empty(0, np.uint64), *hashes])
    buffers = [None, pa.py_buffer(words)]
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), len(words), buffers)
    return pa.table({"value": values, "row": table.column("row"), "place": table.column("row")})

"""Boilerplate: lines that recur across the documents of a source are found, and parts written without them.

Which line stands in which document is sorted and kept on disk, part by part; then each range of hashes is
looked at by itself, so that memory is bounded whatever the source's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.dedup import boilerplate
from filters.dedup.boilerplate import Boilerplate, Occurrences, Recurring
from pipelines.execution.output import Output, Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.parts import PerPartStage, RewrittenParts, row_groups, text_size, write_parts

OCCURRENCES_A_TASK = 8_000_000
"""So many, of 16 bytes each, are held by a task that looks for recurring lines; it needs a few times that."""

FILE = "recurring.arrow"
MOST_REMOVED = "most_removed.json"
MOST = 50


def _editable(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Web pages have boilerplate; what is said in a conversation stays."""
    editable: npt.NDArray[np.bool_] = table.column("messages").is_null().to_numpy()
    return editable


@dataclass(frozen=True, kw_only=True)
class Lines(PerPartStage):
    """One task a part. Output: `PART.arrow`: `key` of a line, ascending, `document` that has it."""

    name: ClassVar[str] = "lines"
    version: ClassVar[int] = 1
    config: Boilerplate

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return self.config.model_dump() | {"version": boilerplate.VERSION}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        found = []
        for documents in row_groups(self.parts.path(workdir, task["part"]), ["text", "messages"]):
            found.append(self.config.occurrences(documents.column("text"), _editable(documents)))
            output.counts.flow("documents", entered=documents.num_rows, left=documents.num_rows)
            output.counts.add("text_bytes_read", text_size(documents.column("text")))
        keys, owners = self.config.thinned(found)
        name = task["part"].replace(".parquet", ".arrow")
        output.write_arrow(name, pa.table({"key": keys, "document": owners}))

    def occurrences(self, workdir: Path, first: int, last: int) -> list[Occurrences]:
        """Those of all parts with a key from `first` to `last`."""
        found = []
        for name in self.manifest(workdir).part_names(".arrow"):
            table = read_arrow(self.path(workdir, name))
            keys = _numbers(table, "key")
            begin = np.searchsorted(keys, np.uint64(first), "left")
            end = np.searchsorted(keys, np.uint64(last), "right")
            found.append(Occurrences(keys[begin:end], _numbers(table, "document")[begin:end]))
        return found


@dataclass(frozen=True, kw_only=True)
class RecurringLines(Stage):
    """One task a range of keys.

    Output: `recurring.arrow`: `key` of each line that recurs, ascending, and the `document` in which it
    stays.
    """

    name: ClassVar[str] = "recurring"
    version: ClassVar[int] = 1
    lines: Lines

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.lines,)

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        # Equal ranges of the keys, which are hashes and so fill them equally.
        rows = sum(file.rows for file in self.lines.manifest(workdir).all_files())
        ranges = max(1, -(-rows // OCCURRENCES_A_TASK))
        bounds = [number * 2**64 // ranges for number in range(ranges + 1)]
        return [{"first": a, "last": b - 1} for a, b in pairwise(bounds)]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        found = self.lines.occurrences(workdir, task["first"], task["last"])
        keys, owners = self.lines.config.recurring(found)
        output.write_arrow(f"{output.task:05d}.arrow", pa.table({"key": keys, "document": owners}))
        output.counts.add("recurring", len(keys))

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        folder = self.folder(workdir)
        tables = [read_arrow(path) for path in sorted(folder.glob("[0-9]*.arrow"))]
        output.write_arrow(FILE, pa.concat_tables(tables).combine_chunks())

    def recurring(self, workdir: Path) -> Recurring:
        """All of them, memory-mapped."""
        table = read_arrow(self.path(workdir, FILE))
        return Recurring(_numbers(table, "key"), _numbers(table, "document"))


@dataclass(frozen=True, kw_only=True)
class WithoutBoilerplate(RewrittenParts):
    """One task a part.

    Output: the part without what recurs, as parts of PART_SCHEMA; `removed/TTTTT.arrow`, a row for each
    line that went: `key`, `times`, `example`; and `most_removed.json`.
    """

    name: ClassVar[str] = "boilerplate"
    version: ClassVar[int] = 1
    recurring: RecurringLines

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.recurring)

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        recurring = self.recurring.recurring(workdir)
        evidence: list[pa.Table] = []
        path = self.parts.path(workdir, task["part"])
        tables = (
            self._without(documents, recurring, evidence, output)
            for documents in row_groups(path, PART_SCHEMA.names)
        )
        write_parts(tables, output, self.part_bytes)
        if evidence:
            output.write_arrow(f"removed/{output.task:05d}.arrow", _total(evidence))

    def _without(
        self, documents: pa.Table, recurring: Recurring, evidence: list[pa.Table], output: TaskOutput
    ) -> pa.Table:
        config = self.recurring.lines.config
        old = documents.column("text")
        removal = config.removed(old, _editable(documents), recurring)
        if removal.evidence.num_rows:
            evidence.append(removal.evidence)
        counts = output.counts
        changed = pc.not_equal(pc.binary_length(removal.texts), pc.binary_length(old))
        counts.add("documents_changed", pc.sum(changed).as_py() or 0)
        counts.add("units_removed", pc.sum(removal.evidence.column("times")).as_py() or 0)
        counts.add("characters_removed", removal.characters)
        return self.with_texts(documents, removal.texts, counts)

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        keys = self.recurring.recurring(workdir).keys
        times = np.zeros(len(keys), np.int64)
        files = [read_arrow(path) for path in sorted(self.folder(workdir).glob("removed/[0-9]*.arrow"))]
        for file in files:
            times[np.searchsorted(keys, _numbers(file, "key"))] += _numbers(file, "times")
        most = np.argsort(-times, kind="stable")[:MOST]
        output.write_json(
            MOST_REMOVED,
            [
                {"times": int(times[place]), "example": _example(files, keys[place])}
                for place in most
                if times[place]
            ],
        )


def _total(evidence: list[pa.Table]) -> pa.Table:
    """The evidence of several batches as one table, sorted by key."""
    joined = pa.concat_tables(evidence)
    keys, first, place = np.unique(_numbers(joined, "key"), return_index=True, return_inverse=True)
    times = np.bincount(place, _numbers(joined, "times")).astype(np.int64)
    examples = joined.column("example").take(pa.array(first))
    return pa.table({"key": keys, "times": times, "example": examples}).combine_chunks()


def _example(files: list[pa.Table], key: np.uint64) -> str:
    for file in files:
        keys = _numbers(file, "key")
        place = int(np.searchsorted(keys, key))
        if place < len(keys) and keys[place] == key:
            return str(file.column("example")[place])
    return ""


def _numbers(table: pa.Table, column: str) -> npt.NDArray[Any]:
    numbers: npt.NDArray[Any] = table.column(column).to_numpy()
    return numbers

"""Pair texts: the texts of the documents in pairs that no run verified, laid out for random access."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.output import Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage
from pipelines.stages.dedup.candidates import Candidates
from pipelines.stages.dedup.numbering import Documents
from pipelines.stages.parts import PartStage, text_size


@dataclass(frozen=True, kw_only=True)
class PairTexts(Stage):
    """One task a part.

    Output: `SOURCE-PART.arrow`, uncompressed: `document`, `bytes`, `text` of each document that is compared.
    """

    name: ClassVar[str] = "pair_texts"
    version: ClassVar[int] = 3
    candidates: Candidates
    parts: tuple[PartStage, ...]

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.candidates, *self.parts)

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        tasks, first = [], 0
        for number, parts in enumerate(self.parts):
            for name, rows in zip(parts.part_names(workdir), parts.part_rows(workdir), strict=True):
                tasks.append({"source": number, "part": name, "first": first, "rows": rows})
                first += rows
        return tasks

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        first, rows = task["first"], task["rows"]
        unverified = self.candidates.unverified(workdir)
        documents = unverified[slice(*np.searchsorted(unverified, [first, first + rows]))]
        if len(documents) == 0:
            return
        parts = self.parts[task["source"]]
        texts, read = _texts_of_rows(parts.path(workdir, task["part"]), documents - first)
        name = f"{parts.scope}-{task['part'].removesuffix('.parquet')}.arrow"
        sizes = pc.binary_length(texts).cast(pa.int64())
        output.write_arrow(name, pa.table({"document": documents, "bytes": sizes, "text": texts}))
        output.counts.add("text_bytes_read", read)

    def texts(self, workdir: Path) -> Texts:
        """The texts, memory-mapped."""
        names = self.manifest(workdir).part_names(".arrow")
        return Texts([read_arrow(self.path(workdir, name)) for name in names])


def _texts_of_rows(path: Path, rows: Documents) -> tuple[pa.ChunkedArray, int]:
    """Texts of a part, from no more of its row groups than needed, and the bytes of text in these."""
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        firsts = np.cumsum([0, *sizes])
        group = np.searchsorted(firsts, rows, side="right") - 1
        needed = np.unique(group)
        texts = file.read_row_groups(needed.tolist(), columns=["text"]).column("text")
        before = np.cumsum([0, *np.array(sizes)[needed]])
        place = before[np.searchsorted(needed, group)] + rows - firsts[group]
        return texts.take(pa.array(place)), text_size(texts)


class Texts:
    """Texts in several files, numbered through. Only those that are asked for are brought into memory."""

    def __init__(self, tables: list[pa.Table]) -> None:
        self._tables = [table for table in tables if table.num_rows]
        self._firsts = np.cumsum([0, *(table.num_rows for table in self._tables)])
        self._first_documents = np.array([table.column("document")[0].as_py() for table in self._tables])

    def rows(self, documents: Documents) -> Documents:
        """The numbers of the texts of documents, which ascend."""
        cuts = np.searchsorted(documents, self._first_documents)
        rows = [
            first + np.searchsorted(table.column("document").to_numpy(), documents[start:stop])
            for table, first, start, stop in zip(
                self._tables, self._firsts, cuts, [*cuts[1:], len(documents)], strict=False
            )
        ]
        return np.concatenate([np.empty(0, np.int64), *rows])

    def sizes(self, rows: Documents) -> Documents:
        """The bytes of the texts of ascending rows."""
        return np.concatenate([np.empty(0, np.int64), *(c.to_numpy() for c in self._column("bytes", rows))])

    def take(self, rows: Documents) -> pa.ChunkedArray:
        """The texts of ascending rows."""
        chunks = [chunk for texts in self._column("text", rows) for chunk in texts.chunks]
        return pa.chunked_array(chunks, pa.large_string())

    def _column(self, name: str, rows: Documents) -> Iterator[pa.ChunkedArray]:
        """A column of ascending rows. One file at a time: taken from all at once, all would be copied."""
        cuts = np.searchsorted(rows, self._firsts)
        for table, first, start, stop in zip(self._tables, self._firsts, cuts, cuts[1:], strict=False):
            if start < stop:
                yield table.column(name).take(pa.array(rows[start:stop] - first))

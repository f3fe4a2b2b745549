"""Common n-grams: which seeds of the benchmarks many documents of a source have, without having the item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from filters.contamination import frequency
from filters.contamination.frequency import common_seeds, seed_documents
from pipelines.execution.output import Output, Task, TaskOutput, read_arrow, read_receipt, read_tasks
from pipelines.execution.stage import Stage
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.parts import PerPartStage, text_size

COMMON = "common.arrow"
ONE_OF = 8
"""Of the row groups of a part one of so many is counted: how common a phrase is shows in a sample."""


@dataclass(frozen=True, kw_only=True)
class CommonNgrams(PerPartStage):
    """One task a part.

    Output: `PART.arrow`: `unit` (the word of the index at which a seed begins), ascending, and `documents`;
    and `common.arrow`: those that are common in the source.
    """

    name: ClassVar[str] = "common_ngrams"
    version: ClassVar[int] = 1
    benchmarks: Benchmarks

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.benchmarks)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"version": frequency.VERSION}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        index = self.benchmarks.index(workdir)
        documents = np.zeros(len(index.words.units), np.int32)
        for texts in _sample(self.parts.path(workdir, task["part"])):
            documents += seed_documents(texts, index)
            output.counts.add("documents", len(texts))
            output.counts.add("text_bytes_read", text_size(texts))
        units = np.flatnonzero(documents)
        found = pa.table({"unit": units, "documents": documents[units]})
        output.write_arrow(task["part"].replace(".parquet", ".arrow"), found)

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return {}

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        folder = self.folder(workdir)
        receipts = [read_receipt(folder, task) for task in range(len(read_tasks(folder) or ()))]
        whole = sum(receipt.counts.number("documents") for receipt in receipts if receipt)
        documents = np.zeros(len(self.benchmarks.index(workdir).words.units), np.int32)
        for table in map(read_arrow, sorted(folder.glob("[0-9]*.arrow"))):
            documents[table.column("unit").to_numpy()] += table.column("documents").to_numpy()
        units = common_seeds(documents, whole)
        output.write_arrow(COMMON, pa.table({"unit": units, "documents": documents[units]}))

    def common(self, workdir: Path) -> npt.NDArray[np.int64]:
        """The words of the index at which a common seed begins."""
        units: npt.NDArray[np.int64] = read_arrow(self.path(workdir, COMMON)).column("unit").to_numpy()
        return units


def _sample(path: Path) -> Iterator[pa.ChunkedArray]:
    with pq.ParquetFile(path) as file:
        for number in range(0, file.num_row_groups, ONE_OF):
            yield file.read_row_group(number, columns=["text"]).column("text")

"""Item vectors: what the semantic path compares passages with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from typing_extensions import override

from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.sources.embedders import EmbedderInput
from pipelines.sources.endpoint import Vectors
from pipelines.stages.contamination import item_texts
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.contamination.index_files import read_array
from pipelines.stages.contamination.item_texts import Views, item_views
from pipelines.stages.contamination.passages import Numbers

ITEM, VECTORS = "item.arrow", "vectors.arrow"


@dataclass(frozen=True, kw_only=True)
class ItemVectors(SingleTaskStage):
    """Output: `item.arrow`, the item of each vector, and `vectors.arrow`, their numbers one after the other.

    Of items of a benchmark that say the same, only the first has vectors.
    """

    name: ClassVar[str] = "item_vectors"
    version: ClassVar[int] = 1
    benchmarks: Benchmarks
    embedder: EmbedderInput

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.benchmarks,)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"embedder": self.embedder.identity, "item_texts": item_texts.VERSION}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        views = self.views(workdir)
        vectors = self.embedder.open().embed(views.text)
        output.write_arrow(ITEM, pa.table({"item": views.item}))
        output.write_arrow(VECTORS, pa.table({"number": vectors.reshape(-1)}))
        output.counts.add("vectors", len(vectors))

    def views(self, workdir: Path) -> Views:
        """The texts that have a vector."""
        same_as = self.benchmarks.index(workdir).items.column("same_as").to_numpy()
        firsts = np.flatnonzero(same_as == np.arange(len(same_as)))
        views = item_views(self.benchmarks.items(workdir).take(pa.array(firsts)))
        return Views(firsts[views.item], views.text)

    def read(self, workdir: Path) -> tuple[Numbers, Vectors]:
        """The item of each vector, and the vectors, memory-mapped: shape (vectors, dimensions)."""
        items: Numbers = read_array(self.path(workdir, ITEM))
        numbers: Vectors = read_array(self.path(workdir, VECTORS))
        return items, numbers.reshape(len(items), len(numbers) // max(1, len(items)))

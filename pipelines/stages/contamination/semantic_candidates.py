"""Semantic candidates: passages of a source that are near an item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.stages.contamination import semantic
from pipelines.stages.contamination.semantic import (
    SEMANTIC,
    PassageCounts,
    candidate_texts,
    find_candidates,
)
from pipelines.stages.contamination.semantic_reference import SemanticReference
from pipelines.stages.parts import PerPartStage, row_groups, text_size

PASSAGE = "text"
CANDIDATES = SEMANTIC.append(pa.field(PASSAGE, pa.large_string()))


@dataclass(frozen=True, kw_only=True)
class SemanticCandidates(PerPartStage):
    """Output: a file of each part's name with its candidates (CANDIDATES); `row` is that of the part."""

    name: ClassVar[str] = "semantic_candidates"
    version: ClassVar[int] = 1
    reference: SemanticReference

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.reference)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"version": semantic.VERSION}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        reference, threshold = self.reference.read(workdir)
        embedder, translations = self.reference.items.embedder.open(), self.reference.translations
        counts = PassageCounts()
        found = [CANDIDATES.empty_table()]
        documents = 0
        for group in row_groups(self.parts.path(workdir, task["part"]), ["text"]):
            texts = group.column("text")
            table = find_candidates(texts, reference, embedder, threshold, counts, translations=translations)
            passages = pa.array(candidate_texts(table, texts), pa.large_string())
            rows = pc.add(table.column("row"), documents)
            table = table.set_column(0, SEMANTIC.field("row"), rows)
            found.append(table.append_column(PASSAGE, passages))
            documents += len(texts)
            output.counts.add("text_bytes_read", text_size(texts))
        output.write_table(task["part"], pa.concat_tables(found))
        output.counts.flow("documents", entered=documents, left=documents)
        for what, passed in vars(counts).items():
            output.counts.add("passages", passed, reason=what)

    def table(self, workdir: Path, part: str) -> pa.Table:
        """The candidates in one part."""
        return pq.read_table(self.path(workdir, part))

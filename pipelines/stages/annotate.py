"""Annotate: one pass over each part computes every number that anyone will need. Text is not rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from filters.exact import content_hash
from filters.minhash import MinHash
from filters.signals import compute_signals
from pipelines.stage import Stage, Task, TaskOutput
from pipelines.stages.parts import PartStage, text_size


@dataclass(frozen=True)
class Annotate(Stage):
    """One task a part. Output: a sidecar of the part's name, one row a document in the part's order:

    `doc_id`, a column for each signal, `content_hash` (16 bytes) and, with MinHash, `band_keys` (uint64
    each).
    """

    name: ClassVar[str] = "annotate"
    version: ClassVar[int] = 1
    parts: PartStage
    minhash: MinHash | None

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The parts."""
        return (self.parts,)

    @property
    def settings(self) -> dict[str, Any]:
        """The shape of the MinHash; the threshold of verification is not among it."""
        return {"minhash": self.minhash.model_dump(exclude={"verify"}) if self.minhash else None}

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each part."""
        return [{"part": name} for name in self.parts.part_names(workdir)]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents of the parts."""
        return {"documents": sum(self.parts.part_rows(workdir))}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Annotate one part."""
        part = pq.read_table(self.parts.folder(workdir) / task["part"], columns=["doc_id", "text"])
        texts = part.column("text")
        sidecar = self.signals(texts).add_column(0, "doc_id", part.column("doc_id"))
        sidecar = sidecar.append_column("content_hash", content_hash(texts))
        if self.minhash:
            keys = self.minhash.band_keys(self.minhash.signatures(texts))
            sidecar = sidecar.append_column("band_keys", keys)
        output.write_table(task["part"], sidecar)
        output.counts.flow("documents", entered=part.num_rows, left=sidecar.num_rows)
        output.counts.fact("text_bytes_read", text_size(texts))

    def signals(self, texts: pa.ChunkedArray) -> pa.Table:
        """A column for each signal."""
        return compute_signals(texts)


def sidecars(stage: Annotate, workdir: Path, columns: list[str]) -> pa.Table:
    """Columns of all sidecars of a stage, in document order."""
    folder = stage.folder(workdir)
    names = stage.parts.part_names(workdir)
    schema = pa.schema([(column, pa.string()) for column in columns])
    if not names:
        return schema.empty_table()
    return pa.concat_tables([pq.read_table(folder / name, columns=columns) for name in names])

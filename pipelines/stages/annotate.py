"""Annotate: one pass over each part computes every number that anyone will need. Text is not rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.dedup.exact import content_hash
from filters.dedup.minhash import MinHash
from filters.quality import bad_words
from filters.quality.signals import compute_signals
from filters.text.words import WordDefinition
from pipelines.execution.output import ROW_GROUP, Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.language_model import load_identifier
from pipelines.sources.models import ModelInput
from pipelines.sources.word_lists import WordList, count_by_language
from pipelines.stages.parts import PartStage, text_size

ROWS_A_SLICE = 8 * ROW_GROUP
"""Documents that are annotated at a time: of tiny ones a part holds a million."""
SAID = "source_language"
"""The sidecar's column with what the source says of the language, so that select reads no part."""


@dataclass(frozen=True)
class Annotate(Stage):
    """One task a part. Output: a sidecar of the part's name, one row a document in the part's order:

    `doc_id`, a column for each signal (`bad_words` where there is a list of them), `language` and
    `language_score` as identified, `source_language`, `content_hash` (16 bytes) and, with MinHash, `band_00`
    ... (the uint64 key of each band).
    """

    name: ClassVar[str] = "annotate"
    version: ClassVar[int] = 2
    parts: PartStage
    minhash: MinHash | None
    word_lists: tuple[WordList, ...] = ()
    language_model: ModelInput | None = None
    words: WordDefinition = "unicode"

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The parts."""
        return (self.parts,)

    @property
    def settings(self) -> dict[str, Any]:
        """What signals rest on: models, lists, definitions; the shape of the MinHash but for `verify`."""
        minhash = self.minhash.model_dump(exclude={"verify"}) if self.minhash else None
        lists = {one.language: one.identity for one in self.word_lists}
        model = self.language_model.identity if self.language_model else None
        return {
            "minhash": minhash,
            "language_model": model,
            **({"words": self.words} if self.words != "unicode" else {}),
            **({bad_words.SIGNAL.name: lists} if lists else {}),
        }

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each part."""
        return [{"part": name} for name in self.parts.part_names(workdir)]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents of the parts."""
        return {"documents": sum(self.parts.part_rows(workdir))}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Annotate one part."""
        path = self.parts.folder(workdir) / task["part"]
        part = pq.read_table(path, columns=["doc_id", "text", "language"])
        starts = range(0, max(1, part.num_rows), ROWS_A_SLICE)
        slices = (part.slice(start, ROWS_A_SLICE) for start in starts)
        output.write_tables(task["part"], map(self._sidecar, slices), part.num_rows)
        output.counts.flow("documents", entered=part.num_rows, left=part.num_rows)
        output.counts.fact("text_bytes_read", text_size(part.column("text")))

    def _sidecar(self, part: pa.Table) -> pa.Table:
        """The sidecar of some documents."""
        texts = part.column("text")
        sidecar = self.signals(texts).add_column(0, "doc_id", part.column("doc_id"))
        if self.word_lists:
            languages = part.column("language")
            if self.language_model:
                languages = pc.coalesce(languages, sidecar.column("language"))
            found = count_by_language(texts, languages, self.word_lists)
            sidecar = sidecar.append_column(bad_words.SIGNAL.name, found)
        sidecar = sidecar.append_column(SAID, part.column("language"))
        sidecar = sidecar.append_column("content_hash", content_hash(texts))
        if self.minhash:
            keys = self.minhash.band_keys(self.minhash.signatures(texts))
            for band, column in enumerate(keys.flatten().to_numpy().reshape(-1, self.minhash.bands).T):
                sidecar = sidecar.append_column(band_column(band), pa.array(column))
        return sidecar

    def signals(self, texts: pa.ChunkedArray) -> pa.Table:
        """A column for each signal, and the language."""
        signals = compute_signals(texts, self.words)
        if self.language_model:
            languages = load_identifier(self.language_model.location).identify(texts)
            for name in languages.column_names:
                signals = signals.append_column(name, languages.column(name))
        return signals


def band_column(band: int) -> str:
    """The sidecar's column with the keys of a band. Each has its own, so that each can be read alone."""
    return f"band_{band:02d}"


def sidecar_parts(stage: Annotate, workdir: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of each sidecar of a stage, in document order."""
    for name in stage.parts.part_names(workdir):
        yield pq.read_table(stage.folder(workdir) / name, columns=columns)


def sidecar_values(
    stages: Sequence[Annotate], workdir: Path, column: str, documents: npt.NDArray[np.int64]
) -> pa.Array:
    """A column's values for documents of several annotations, numbered through; their numbers ascend."""
    found = []
    first = 0
    for table in (table for stage in stages for table in sidecar_parts(stage, workdir, [column])):
        start, stop = np.searchsorted(documents, [first, first + table.num_rows])
        values = table.column(column).combine_chunks()
        found.append(values.take(pa.array(documents[start:stop] - first)))
        first += table.num_rows
    return pa.concat_arrays(found) if found else pa.array([], pa.string())

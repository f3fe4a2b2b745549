"""Bad words: how many unwanted words each document has, by the lists that the user supplies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.quality import bad_words
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.word_lists import WordList, count_by_language
from pipelines.stages.language import Language
from pipelines.stages.parts import text_size
from pipelines.stages.sidecar import Sidecar


@dataclass(frozen=True, kw_only=True)
class BadWords(Sidecar):
    """Output: `bad_words` int64, by the list for the language of the document."""

    name: ClassVar[str] = "annotate"
    version: ClassVar[int] = 1
    language: Language
    lists: tuple[WordList, ...]

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.language)

    @property
    @override
    def beside(self) -> tuple[Stage, ...]:
        return (self.language,)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        lists = {one.language: one.identity for one in self.lists}
        return {"lists": lists, "version": bad_words.VERSION}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return (bad_words.SIGNAL.name,)

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        name = task["part"]
        part = pq.read_table(self.parts.path(workdir, name), columns=["text", "language"])
        identified = self.language.table(workdir, name, ["language"]).column("language")
        # What the source says of the language counts, else what was identified.
        languages = pc.coalesce(part.column("language"), identified)
        counts = count_by_language(part.column("text"), languages, self.lists)
        output.write_table(name, pa.table({bad_words.SIGNAL.name: counts}))
        output.counts.flow("documents", entered=part.num_rows, left=len(counts))
        output.counts.add("text_bytes_read", text_size(part.column("text")))

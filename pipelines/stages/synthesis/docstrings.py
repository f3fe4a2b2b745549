"""Docstrings: questions about the code that Stage 1 contains, answered by its documentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.mix import MixStage
from pipelines.stages.parts import PartStage, text_size, write_parts
from pipelines.synthesis.questions import docstring_qa
from pipelines.synthesis.questions.docstring_qa import DocstringQuestions


@dataclass(frozen=True, kw_only=True)
class AskedDocstrings(PartStage):
    """One task a part of the sources asked about. Output: parts of PART_SCHEMA."""

    name: ClassVar[str] = "synthesize"
    version: ClassVar[int] = 1
    config: DocstringQuestions
    about: MixStage
    parts: tuple[PartStage, ...]
    group: str
    part_bytes: int

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.about, *self.parts)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json", exclude={"domain"}),
            "group": self.group,
            "part_size": self.part_bytes,
            "questions": docstring_qa.VERSION,
        }

    @property
    @override
    def domain(self) -> str:
        return self.group

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [
            {"source": number, "part": name}
            for number, stage in enumerate(self.parts)
            for name in stage.part_names(workdir)
        ]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        stage = self.parts[task["source"]]
        rows = self.about.used_rows(workdir, stage.scope, task["part"])
        documents = pq.read_table(stage.path(workdir, task["part"]), schema=PART_SCHEMA).take(pa.array(rows))
        questions, skipped = docstring_qa.docstring_questions(
            documents, source=self.scope, domain=self.domain
        )
        written, _ = write_parts([questions], output, self.part_bytes)
        output.counts.flow(
            "questions",
            entered=written + skipped.total(),
            left=written,
            dropped={Count("no_question", reason=reason): number for reason, number in skipped.items()},
        )
        output.counts.add("parents", len(rows))
        output.counts.add("text_bytes_read", text_size(documents.column("text")))

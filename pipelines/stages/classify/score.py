"""Score: what a classifier says of each document of a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import UserError
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.parts import PartStage, text_size


@dataclass(frozen=True)
class Score(Stage):
    """One task a part. Output: a sidecar of the part's name, one row a document in the part's order:

    `label` string (null where the classifier gives a score) and `score` float32: the probability of the label
    `positive`, else that of `label`, else the model's own number.
    """

    name: ClassVar[str] = "score"
    version: ClassVar[int] = 1
    classifier: Classifier
    parts: PartStage
    positive: str | None

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The classifier and the parts."""
        return (self.classifier, self.parts)

    @property
    def settings(self) -> dict[str, Any]:
        """Which label's probability is the score."""
        return {"positive": self.positive}

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each part."""
        if self.positive is not None:
            self.check_label(self.positive, workdir)
        return [{"part": name} for name in self.parts.part_names(workdir)]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents of the parts."""
        return {"documents": sum(self.parts.part_rows(workdir))}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Judge the documents of one part."""
        texts = pq.read_table(self.parts.folder(workdir) / task["part"], columns=["text"]).column("text")
        model = self.classifier.ready(workdir)
        found = model.probabilities(texts)
        labels = pa.nulls(len(texts), pa.string())
        if self.positive or not model.labels:
            scores = found[:, model.labels.index(self.positive) if self.positive else 0]
        else:
            best = found.argmax(axis=1)
            scores = found[np.arange(len(best)), best]
            labels = pa.array(model.labels).take(pa.array(best, mask=~(scores > 0)))
        unreadable = np.isnan(scores)
        sidecar = pa.table({"label": labels, "score": np.where(unreadable, np.float32(-np.inf), scores)})
        output.write_table(task["part"], sidecar)
        output.counts.flow("documents", entered=len(texts), left=sidecar.num_rows)
        output.counts.fact("text_bytes_read", text_size(texts))
        output.counts.fact("scores_that_are_no_number", int(unreadable.sum()))

    def check_label(self, label: str, workdir: Path) -> None:
        """Raises UserError where the classifier has no such label."""
        labels = self.classifier.labels(workdir)
        if label not in labels:
            raise UserError(
                f"the classifier `{self.classifier.scope}` has no label `{label}`",
                place=f"curate.classify.{self.classifier.scope}",
                hint=f"Its labels: {', '.join(labels) or 'none, it gives a number'}.",
            )

    def gives_labels(self, workdir: Path) -> bool:
        """Whether there are labels, and no score alone."""
        return self.positive is None and bool(self.classifier.labels(workdir))

    def table(self, workdir: Path) -> pa.Table:
        """All sidecars, in document order."""
        folder = self.folder(workdir)
        schema = pa.schema([("label", pa.string()), ("score", pa.float32())])
        names = self.parts.part_names(workdir)
        return pa.concat_tables([schema.empty_table(), *(pq.read_table(folder / name) for name in names)])

"""Score: what a classifier says of each document of a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.parts import text_size
from pipelines.stages.sidecar import Sidecar


@dataclass(frozen=True, kw_only=True)
class Score(Sidecar):
    """Output: `label` string (null where the classifier gives a score) and `score` float32.

    The score is the probability of the label `positive`, else that of `label`, else the model's own number.
    """

    name: ClassVar[str] = "score"
    version: ClassVar[int] = 1
    classifier: Classifier
    positive: str | None

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.classifier, self.parts)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"positive": self.positive}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return ("label", "score")

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        if self.positive is not None:
            self.check_label(self.positive, workdir)
        return super().tasks(workdir)

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        texts = pq.read_table(self.parts.path(workdir, task["part"]), columns=["text"]).column("text")
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
        output.counts.add("text_bytes_read", text_size(texts))
        output.counts.add("scores_that_are_no_number", int(unreadable.sum()))

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

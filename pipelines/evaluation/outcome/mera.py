"""MERA: its open questions scored here, and the archive that its site takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.evaluation.mera.archive import write_archive
from pipelines.evaluation.mera.ask import ask_mera
from pipelines.evaluation.mera.data import MeraData
from pipelines.evaluation.mera.score import score_mera
from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result
from pipelines.evaluation.outcome.table import Estimate, References, Row, Table, reference_first
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.recipe.mera import Mera

ARCHIVE = "mera.zip"
"""In the folder of results: the answers of the last stage's model, for the site."""


@dataclass(frozen=True, kw_only=True)
class MeraTasks:
    """The measure of MERA's tasks."""

    data: Mapping[str, MeraData]
    config: Mera
    batch_size: int
    name: str = "mera"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        questions = {
            name: [[asdict(each) for each in of_all] for of_all in (of_task.questions, of_task.examples)]
            for name, of_task in self.data.items()
        }
        return {"data": fingerprint(questions), "config": self.config.model_dump(exclude={"data"})}

    def refuses(self, variant: Variant) -> str | None:
        """All can be asked."""
        return None

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """Its answers, by task."""
        return {"answers": ask_mera(loaded.answers(variant), self.data, self.config, self.batch_size)}

    def write_archive(self, results: Mapping[str, Result], variant: str, folder: Path) -> None:
        """Write what a variant answered to the closed questions, where these were asked."""
        if variant in results and self.config.split == "test":
            write_archive(folder / ARCHIVE, self.data, dict(results[variant])["answers"])

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """The metrics of each task that can be scored here."""
        answers = {name: dict(result)["answers"] for name, result in results.items()}
        if references.base not in answers:
            return
        scores = score_mera(self.data, reference_first(answers, references.base))
        yield (
            self.name,
            Table(
                title="MERA",
                unit="score",
                counted="questions",
                rows=[
                    Row(
                        name=f"{task}, {metric}",
                        count=of_task.questions,
                        scores={name: Estimate(s.value, s.interval) for name, s in of_metric.scores.items()},
                        differences={
                            name: Estimate(s.value, s.interval) for name, s in of_metric.differences.items()
                        },
                    )
                    for task, of_task in scores.tasks.items()
                    for metric, of_metric in of_task.metrics.items()
                ],
            ),
        )

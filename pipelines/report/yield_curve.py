"""How scores change with the synthetic text that a model was trained on, and a log-linear fit of that.

With EntiGraph the accuracy of questions about a corpus grows with the logarithm of the synthetic tokens that
were made of it (Yang et al. 2024, "Synthetic continued pretraining", section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.log_linear import fit
from pipelines.report.shards_now import shards_fingerprint
from pipelines.report.trained_synthetic import synthetic_until
from pipelines.report.training import same_documents
from trainers.scores import Evaluation

BITS, ALL = "bits per byte", "all"
CAVEAT = (
    "A fit is no more than that: within a stage the learning rate falls as tokens grow, and other text is "
    "trained on beside the synthetic one, which both move scores too; and points of one model are not "
    "independent, so the true interval is wider."
)


@dataclass(frozen=True)
class Point:
    """A score after a step of a stage."""

    stage: str
    step: int
    synthetic_tokens: int
    """That the model had been trained on until then, in all stages that led to it."""
    score: float


@dataclass
class Curve:
    """What one score was over time."""

    score: str
    """A group of held-out documents, or a benchmark and its metric."""
    unit: str
    points: list[Point] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The points and the fit through those that have synthetic tokens; `fit` is None for too few."""
        found = fit([point.synthetic_tokens for point in self.points], [point.score for point in self.points])
        return asdict(self) | {"fit": asdict(found) if found else None}


def yield_curves(graph: Graph, done: Finished, synthetic: Collection[str]) -> list[dict[str, Any]]:
    """For each model that no other was trained from: its curves, and what limits them. JSON-able.

    Args:
        graph: The stages of a run.
        done: Those that are finished.
        synthetic: The mixtures that hold synthetic text; what was trained without them has no curve.
    """
    names = list(graph.recipe.mixtures)
    found = []
    for lineage in _lineages(trained_stages(done.workdir, names), names):
        if synthetic & {stage.name for stage in lineage}:
            current, notes = _on_these_shards(lineage, graph, done)
            curves = _curves(current, graph, synthetic)
            said = [*notes, CAVEAT] if curves else notes
            found.append(
                {
                    "stages": [stage.name for stage in lineage],
                    "curves": [curve.to_json() for curve in curves],
                    "notes": said,
                }
            )
    return found


def _lineages(trained: Sequence[TrainedStage], names: Sequence[str]) -> list[list[TrainedStage]]:
    """The stages that led to each model from which no other stage started."""
    lineages = [stage.lineage(names) for stage in trained]
    inner = {stage.name for lineage in lineages for stage in lineage[:-1]}
    return [lineage for lineage in lineages if lineage and lineage[-1].name not in inner]


def _on_these_shards(
    lineage: Sequence[TrainedStage], graph: Graph, done: Finished
) -> tuple[list[TrainedStage], list[str]]:
    """The stages before the first that was trained on other shards than there are now, and a word on that."""
    for number, stage in enumerate(lineage):
        if stage.result["shards_fingerprint"] != shards_fingerprint(graph, stage.name, done):
            return list(lineage[:number]), [
                f"{stage.name} was trained on earlier shards: how much synthetic text it saw is not known."
            ]
    return list(lineage), []


def _curves(lineage: Sequence[TrainedStage], graph: Graph, synthetic: Collection[str]) -> list[Curve]:
    """The curves of all scores of a model, in the order in which they first came up."""
    curves: dict[tuple[str, str], Curve] = {}

    def add(score: str, unit: str, point: Point) -> None:
        if math.isfinite(point.score):
            curves.setdefault((score, unit), Curve(score, unit)).points.append(point)

    measured = _measured_alike(lineage)
    before = 0
    for stage in lineage:
        until = synthetic_until(stage, graph.mixes[stage.name]) if stage.name in synthetic else {}
        for evaluation in measured[stage.name]:
            tokens = before + until.get(evaluation.step, 0)
            for group, value in _bits(evaluation):
                add(group, BITS, Point(stage.name, evaluation.step, tokens, value))
        before += max(until.values(), default=0)
        for task, metric, value in _benchmark_scores(stage):
            add(task, metric, Point(stage.name, stage.result["steps"], before, value))
    return list(curves.values())


def _measured_alike(lineage: Sequence[TrainedStage]) -> dict[str, list[Evaluation]]:
    """The evaluations of each stage on the held-out documents of the last one; each model's once."""
    found = {stage.name: [Evaluation.from_json(e) for e in stage.result["evaluations"]] for stage in lineage}
    last = next((found[stage.name][-1] for stage in reversed(lineage) if found[stage.name]), None)
    alike = {
        name: [each for each in evaluations if last and same_documents(each, last)]
        for name, evaluations in found.items()
    }
    measured: dict[str, list[Evaluation]] = {}
    for name, evaluations in alike.items():
        follows = any(measured.values())  # then its start is the end of the stage before
        measured[name] = [each for each in evaluations if each.step or not follows]
    return measured


def _bits(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    for group, score in (*sorted(evaluation.groups.items()), (ALL, evaluation.total)):
        if score.bits_per_byte is not None:
            yield group, score.bits_per_byte


def _benchmark_scores(stage: TrainedStage) -> Iterator[tuple[str, str, float]]:
    """Task, metric and score of each benchmark that the model was asked after a stage."""

    def of(name: str, score: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
        yield from ((name, metric, value) for metric, value in score["metrics"].items())
        if not score["metrics"]:  # a tag
            for part, its_score in score["parts"].items():
                yield from of(part, its_score)

    for name, score in ((stage.scores or {}).get("model", {}).get("harness") or {}).items():
        yield from of(name, score)

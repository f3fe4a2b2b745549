"""How scores change with the synthetic text that a model was trained on, and a log-linear fit of that.

With EntiGraph the accuracy of questions about a corpus grows with the logarithm of the synthetic tokens that
were made of it (Yang et al. 2024, "Synthetic continued pretraining", section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import Any

from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.log_linear import fit
from pipelines.report.shards_now import shards_fingerprint
from pipelines.report.trained_synthetic import synthetic_until
from pipelines.report.training import same_documents
from trainers.scores import Evaluation

Lineage = Sequence[TrainedStage]
"""The stages that led to a model, the first one first."""
BITS, ALL = "bits per byte", "all"
OF_ONE_MODEL = (
    "A fit is no more than that: within a stage the learning rate falls as tokens grow, and other text is "
    "trained on beside the synthetic one, which both move scores too; and points of one model are not "
    "independent, so the true interval is wider."
)
OF_SEVERAL_MODELS = (
    "A fit is no more than that: the stages differ in whatever else they were trained on, and in their "
    "learning rates where their settings do."
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


def yield_curves(graph: Graph, done: Finished, synthetic: Set[str]) -> list[dict[str, Any]]:
    """The curves of each model over time, and of models from one start by how much each was trained on.

    Args:
        graph: The stages of a run.
        done: Those that are finished.
        synthetic: The mixtures that hold synthetic text; what was trained without them has no curve.

    Returns:
        JSON-able; of each the `stages`, whether it is of `one_model`, its `curves` and `notes` on them.
    """
    names = list(graph.recipe.mixtures)
    lineages = [stage.lineage(names) for stage in trained_stages(done.workdir, names)]
    taught = [each for each in lineages if each and synthetic & {stage.name for stage in each}]
    known = {id(each): _on_these_shards(each, graph, done) for each in taught}
    found = []
    for lineage in _longest(taught):
        current = known[id(lineage)]
        curves = _curves(current, graph, synthetic)
        found.append(_entry(lineage, curves, lineage[len(current) :], OF_ONE_MODEL))
    for models in _from_one_start(taught):
        measurable = [model for model in models if known[id(model)] == model]
        curves = _of_ends(_measured_as_the_last(measurable), graph, synthetic)
        earlier = [model[-1] for model in models if model not in measurable]
        found.append(_entry([model[-1] for model in models], curves, earlier, OF_SEVERAL_MODELS))
    return found


def _entry(stages: Lineage, curves: Sequence[Curve], earlier: Lineage, caveat: str) -> dict[str, Any]:
    """What the report has of some stages, of which some were trained on earlier shards."""
    notes = [f"{stage.name}: trained on earlier shards, or from a model that was." for stage in earlier]
    return {
        "stages": [stage.name for stage in stages],
        "one_model": caveat == OF_ONE_MODEL,
        "curves": [curve.to_json() for curve in curves],
        "notes": [*notes, caveat] if curves else notes,
    }


def _longest(lineages: Sequence[Lineage]) -> list[Lineage]:
    """Those that end in a model from which no other started."""
    inner = {stage.name for lineage in lineages for stage in lineage[:-1]}
    return [lineage for lineage in lineages if lineage[-1].name not in inner]


def _from_one_start(lineages: Sequence[Lineage]) -> list[list[Lineage]]:
    """Those that end in models which started from the same weights, several at a time."""
    groups: dict[str, list[Lineage]] = {}
    for lineage in lineages:
        groups.setdefault(lineage[-1].result["start_fingerprint"], []).append(lineage)
    return [models for models in groups.values() if len(models) > 1]


def _on_these_shards(lineage: Lineage, graph: Graph, done: Finished) -> Lineage:
    """The stages before the first that was trained on other shards than there are now."""

    def is_current(stage: TrainedStage) -> bool:
        return bool(stage.result["shards_fingerprint"] == shards_fingerprint(graph, stage.name, done))

    return list(takewhile(is_current, lineage))


def _measured_as_the_last(models: Sequence[Lineage]) -> list[Lineage]:
    """Those models that were measured on the same held-out documents as the last one that was measured."""
    ends = [_evaluations(model[-1])[-1:] for model in models]
    last = next((end[0] for end in reversed(ends) if end), None)
    return [
        model
        for model, end in zip(models, ends, strict=True)
        if last is None or (end and same_documents(end[0], last))
    ]


def _of_ends(models: Sequence[Lineage], graph: Graph, synthetic: Set[str]) -> list[Curve]:
    """For each score a curve of what several models had at their ends."""
    ends: dict[tuple[str, str], Curve] = {}
    for model in models:
        for curve in _curves(model, graph, synthetic):
            if curve.points[-1].stage == model[-1].name:
                found = ends.setdefault((curve.score, curve.unit), Curve(curve.score, curve.unit))
                found.points.append(curve.points[-1])
    return list(ends.values())


def _curves(lineage: Lineage, graph: Graph, synthetic: Set[str]) -> list[Curve]:
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


def _measured_alike(lineage: Lineage) -> dict[str, list[Evaluation]]:
    """The evaluations of each stage on the held-out documents of the last one; each model's once."""
    found = {stage.name: _evaluations(stage) for stage in lineage}
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


def _evaluations(stage: TrainedStage) -> list[Evaluation]:
    return [Evaluation.from_json(value) for value in stage.result["evaluations"]]


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

"""The evaluation of a run: of the models that it trained, beside what they started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.commands.run_hits import hits_of_run
from pipelines.errors import UserError
from pipelines.evaluation.evaluate import Subjects, evaluate_models
from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.recipe import HELD_OUT
from pipelines.stages.described import described_in
from trainers.scores import Described


def asked_after(graph: Graph, stage: str) -> Evaluate | None:
    """What the recipe asks of the model that `stage` leaves; None: nothing."""
    asked = graph.recipe.evaluate
    return asked if asked is not None and (asked.after is None or stage in asked.after) else None


def evaluate_stage(graph: Graph, stage: TrainedStage, asked: Evaluate) -> dict[str, Any]:
    """Evaluate the model of `stage` beside what training started from, and keep the scores in the run."""
    evaluated = evaluate_models(_subjects(graph, stage), asked)
    scores = evaluated.to_json()
    stage.write_scores(scores, evaluated.pieces)
    return scores


def last_trained(graph: Graph, workdir: Path, base: str | None = None) -> Subjects:
    """The model of the last stage that was trained. Raises UserError where there is none."""
    trained = trained_stages(workdir, graph.recipe.mixtures)
    if not trained:
        raise UserError(
            "this is not a run with a trained model",
            file=str(workdir),
            hint="Give a model and a folder of shards, or first: coupage train RUN.",
        )
    return _subjects(graph, trained[-1], base)


def _subjects(graph: Graph, stage: TrainedStage, base: str | None = None) -> Subjects:
    """The model that `stage` left, beside `base` or what training started from."""
    base = base or _start(graph, stage)
    model, workdir = str(stage.folder), stage.workdir
    held_out = HELD_OUT in graph.shards
    return Subjects(
        {"model": model, **({"base": base} if base else {})},
        workdir / "shards" / HELD_OUT if held_out else None,
        described_in(graph.mixes[HELD_OUT], workdir) if held_out else Described(),
        hits_of_run(graph, workdir, [each.name for each in stage.lineage(list(graph.recipe.mixtures))]),
    )


def _start(graph: Graph, stage: TrainedStage) -> str | None:
    """What the first trained stage started from; for a new model's later stages that one; else nothing."""
    first = trained_stages(stage.workdir, graph.recipe.mixtures)[0]
    return first.base or (None if first == stage else str(first.folder))

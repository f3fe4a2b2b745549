"""The evaluation of a run: of the models that it trained, beside what they started from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from pipelines.errors import UserError
from pipelines.evaluation.evaluate import Subjects, evaluate_models
from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.recipe import HELD_OUT

if TYPE_CHECKING:
    from pipelines.stages.mix import MixStage


def asked_after(graph: Graph, stage: str) -> Evaluate | None:
    """What the recipe asks of the model that `stage` leaves; None: nothing."""
    asked = graph.recipe.evaluate
    return asked if asked is not None and (asked.after is None or stage in asked.after) else None


def evaluate_stage(graph: Graph, stage: TrainedStage, asked: Evaluate) -> list[dict[str, Any]]:
    """Evaluate the model of `stage` beside what training started from, and keep the scores in the run."""
    evaluated = evaluate_models(_subjects(graph, stage), asked)
    scores = {role: score.to_json() for role, score in evaluated.items()}
    stage.write_scores(scores)
    return list(scores.values())


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
        languages_of(graph.mixes[HELD_OUT], workdir) if held_out else None,
    )


def _start(graph: Graph, stage: TrainedStage) -> str | None:
    """What the first trained stage started from; for a new model's later stages that one; else nothing."""
    first = trained_stages(stage.workdir, graph.recipe.mixtures)[0]
    return first.base or (None if first == stage else str(first.folder))


def languages_of(mix: MixStage, workdir: Path) -> dict[str, str]:
    """The language of each held-out document of a run that has one, by its id."""
    found: dict[str, str] = {}
    for stage in mix.tokenized:
        for table in stage.files(workdir):
            known = table.filter(pc.and_(table["held_out"], pc.is_valid(table["language"])))
            found |= dict(zip(known["doc_id"].to_pylist(), known["language"].to_pylist(), strict=True))
    return found

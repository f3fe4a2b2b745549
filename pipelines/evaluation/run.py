"""The evaluation of a run: of the models that it trained, beside what they started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from pipelines.atomic import write_bytes
from pipelines.errors import UserError
from pipelines.evaluation.config import Evaluate
from pipelines.evaluation.evaluate import Subjects, evaluate_models
from pipelines.evaluation.held_out import languages_of
from pipelines.graph import Graph
from pipelines.recipe import HELD_OUT

FOLDER = "evaluate"
"""In a run: what evaluation after training gave, a file for each stage."""


def asked_after(graph: Graph, stage: str) -> Evaluate | None:
    """What the recipe asks of the model that `stage` leaves; None: nothing."""
    asked = graph.recipe.evaluate
    return asked if asked is not None and (asked.after is None or stage in asked.after) else None


def evaluate_stage(graph: Graph, workdir: Path, stage: str, asked: Evaluate) -> list[dict[str, Any]]:
    """Evaluate the model of `stage` beside what training started from, and keep the scores in the run."""
    scores = evaluate_models(trained_stage(graph, workdir, stage), asked)
    found = {role: score.to_json() for role, score in scores.items()}
    path = _kept(workdir, stage)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    return list(found.values())


def forget_scores(workdir: Path, stage: str) -> None:
    """Remove the scores of an earlier model of `stage`."""
    _kept(workdir, stage).unlink(missing_ok=True)


def kept_scores(graph: Graph, workdir: Path) -> dict[str, dict[str, Any]]:
    """The scores that evaluation after each stage gave, by role."""
    kept = {stage: _kept(workdir, stage) for stage in graph.recipe.mixtures}
    return {stage: orjson.loads(path.read_bytes()) for stage, path in kept.items() if path.is_file()}


def _kept(workdir: Path, stage: str) -> Path:
    return workdir / FOLDER / f"{stage}.json"


def last_trained(graph: Graph, workdir: Path, base: str | None = None) -> Subjects:
    """The model of the last stage that was trained. Raises UserError where there is none."""
    trained = _trained(graph, workdir)
    if not trained:
        raise UserError(
            "this is not a run with a trained model",
            file=str(workdir),
            mend="Give a model and a folder of shards, or first: coupage train RUN.",
        )
    return trained_stage(graph, workdir, trained[-1], base)


def trained_stage(graph: Graph, workdir: Path, stage: str, base: str | None = None) -> Subjects:
    """The model that `stage` left, beside `base` or what training started from."""
    base = base or _start(graph, workdir, stage)
    model = str(workdir / "train" / stage)
    held_out = HELD_OUT in graph.shards
    return Subjects(
        {"model": model, **({"base": base} if base else {})},
        workdir / "shards" / HELD_OUT if held_out else None,
        languages_of(graph.mixes[HELD_OUT], workdir) if held_out else None,
    )


def _trained(graph: Graph, workdir: Path) -> list[str]:
    return [stage for stage in graph.recipe.mixtures if _result(workdir, stage).is_file()]


def _result(workdir: Path, stage: str) -> Path:
    return workdir / "train" / stage / "training.json"


def _start(graph: Graph, workdir: Path, stage: str) -> str | None:
    """What the first trained stage started from; for a new model's later stages that one; else nothing."""
    first = _trained(graph, workdir)[0]
    start: str = orjson.loads(_result(workdir, first).read_bytes())["model"]
    if not start.startswith("{"):  # of a new model, its shape
        return start
    return None if first == stage else str(workdir / "train" / first)

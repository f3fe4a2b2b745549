"""The evaluation of a run: of the models that it trained, beside what they started from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.compute as pc

from pipelines.errors import UserError
from pipelines.evaluation.evaluate import Subjects, evaluate_models
from pipelines.execution.atomic import write_bytes
from pipelines.graph.build import Graph
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.recipe import HELD_OUT
from pipelines.report.scores import _kept

if TYPE_CHECKING:
    from pipelines.stages.mix import MixStage


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


def last_trained(graph: Graph, workdir: Path, base: str | None = None) -> Subjects:
    """The model of the last stage that was trained. Raises UserError where there is none."""
    trained = _trained(graph, workdir)
    if not trained:
        raise UserError(
            "this is not a run with a trained model",
            file=str(workdir),
            hint="Give a model and a folder of shards, or first: coupage train RUN.",
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


def languages_of(mix: MixStage, workdir: Path) -> dict[str, str]:
    """The language of each held-out document of a run that has one, by its id."""
    found: dict[str, str] = {}
    for stage in mix.tokenized:
        for table in stage.files(workdir):
            known = table.filter(pc.and_(table["held_out"], pc.is_valid(table["language"])))
            found |= dict(zip(known["doc_id"].to_pylist(), known["language"].to_pylist(), strict=True))
    return found

"""The evaluation of a run: of the models that it trained, beside what they started from."""

from __future__ import annotations

from pathlib import Path

import orjson

from pipelines.errors import UserError
from pipelines.evaluation.evaluate import Subjects
from pipelines.evaluation.held_out import languages_of
from pipelines.graph import HELD_OUT, Graph

FOLDER = "evaluate"
"""In a run: what evaluation after training gave, `stage1.json` and `stage2.json`."""

STAGES = ("stage1", "stage2")


def last_trained(graph: Graph, workdir: Path, base: str | None = None) -> Subjects:
    """The model of the last stage that was trained. Raises UserError where there is none."""
    trained = _trained(workdir)
    if not trained:
        raise UserError(
            "this is not a run with a trained model",
            file=str(workdir),
            mend="Give a model and a folder of shards, or first: coupage train RUN.",
        )
    return trained_stage(graph, workdir, trained[-1], base)


def trained_stage(graph: Graph, workdir: Path, stage: str, base: str | None = None) -> Subjects:
    """The model that `stage` left, beside `base` or what training started from."""
    base = base or _start(workdir, stage)
    model = str(workdir / "train" / stage)
    held_out = HELD_OUT in graph.shards
    return Subjects(
        {"model": model, **({"base": base} if base else {})},
        workdir / "shards" / HELD_OUT if held_out else None,
        languages_of(graph.mixes[HELD_OUT], workdir) if held_out else None,
    )


def _trained(workdir: Path) -> list[str]:
    return [stage for stage in STAGES if _result(workdir, stage).is_file()]


def _result(workdir: Path, stage: str) -> Path:
    return workdir / "train" / stage / "training.json"


def _start(workdir: Path, stage: str) -> str | None:
    """What the first trained stage started from; of a new model's Stage 2, Stage 1; else nothing."""
    first = _trained(workdir)[0]
    start: str = orjson.loads(_result(workdir, first).read_bytes())["model"]
    if not start.startswith("{"):  # of a new model, its shape
        return start
    return None if first == stage else str(workdir / "train" / first)

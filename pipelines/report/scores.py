"""The scores that evaluation after training left in a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.graph.build import Graph

if TYPE_CHECKING:
    pass


FOLDER = "evaluate"
"""In a run: what evaluation after training gave, a file for each stage."""


def forget_scores(workdir: Path, stage: str) -> None:
    """Remove the scores of an earlier model of `stage`."""
    _kept(workdir, stage).unlink(missing_ok=True)


def kept_scores(graph: Graph, workdir: Path) -> dict[str, dict[str, Any]]:
    """The scores that evaluation after each stage gave, by role."""
    kept = {stage: _kept(workdir, stage) for stage in graph.recipe.mixtures}
    return {stage: orjson.loads(path.read_bytes()) for stage, path in kept.items() if path.is_file()}


def _kept(workdir: Path, stage: str) -> Path:
    return workdir / FOLDER / f"{stage}.json"

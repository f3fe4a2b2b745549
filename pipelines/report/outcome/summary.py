"""What the report of a run says of its outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.manifest import read_sealed
from pipelines.execution.seal import OUTCOME, OUTCOME_PAGE
from pipelines.execution.trained_stage import trained_stages
from pipelines.graph.build import Graph


def trained_now(graph: Graph, workdir: Path) -> dict[str, str]:
    """What tells each trained stage from an earlier training of the same name."""
    return {stage.name: fingerprint(stage.result) for stage in trained_stages(workdir, graph.recipe.mixtures)}


def outcome_report(graph: Graph, workdir: Path) -> dict[str, Any] | None:
    """The verdicts, and whether they are on the models that are there now; None where there are none."""
    path = workdir / OUTCOME
    if not path.is_file():
        return None
    content = read_sealed(path)
    return {
        "page": OUTCOME_PAGE,
        "tuned": content["tuned"],
        "base": content["base"],
        "verdicts": content["verdicts"],
        "of_these_models": content["trained"] == trained_now(graph, workdir),
    }

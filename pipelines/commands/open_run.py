"""The folder of a run: where it is by default, and the graph of a finished one."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import UserError, WorkError
from pipelines.execution.manifest import Damaged
from pipelines.execution.seal import recorded_settings
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.inputs import RecordedInputs
from pipelines.recipe.recipe import Recipe


def default_workdir(recipe: Recipe) -> Path:
    """Where a recipe runs when nothing else is said."""
    return Path("runs") / recipe.name


def open_run(folder: Path) -> Graph:
    """The graph of a finished run, from the recipe that it keeps. Raises UserError where there is none."""
    path = folder / "recipe.json"
    if not path.is_file():
        raise UserError(
            "this is not the folder of a finished run",
            file=str(folder),
            hint="Give the folder that `coupage run` named, e.g. runs/quickstart.",
        )
    recipe = Recipe.model_validate_json(path.read_bytes())
    try:
        return build_graph(recipe, RecordedInputs(recorded_settings(folder)))
    except Damaged as error:
        raise WorkError(error.why, file=str(error.path), hint="`coupage verify` finds all damage.") from error

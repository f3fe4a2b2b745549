"""The folder of a run: where it is by default, and the graph of a finished one."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import UserError, WorkError
from pipelines.execution.manifest import Damaged
from pipelines.execution.seal import recorded_stages
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
        recorded = recorded_stages(folder)
        graph = build_graph(
            recipe, RecordedInputs({label: manifest.settings for label, manifest in recorded.items()})
        )
        for stage in graph.stages():
            stage.reopen(recorded[stage.label].fingerprint)
    except Damaged as error:
        raise WorkError(error.why, file=str(error.path), hint="`coupage verify` finds all damage.") from error
    except KeyError as error:
        raise WorkError(
            f"another version of coupage made this run: it has no stage {error}",
            file=str(folder),
            hint="Run the recipe again in this folder; what is still right is kept.",
        ) from error
    return graph

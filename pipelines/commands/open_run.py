"""The folder of a run: where it is by default, and the graph of a finished one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import UserError, WorkError
from pipelines.execution.manifest import Damaged
from pipelines.execution.seal import recorded_stages
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.inputs import RecordedInputs
from pipelines.recipe.recipe import Recipe

if TYPE_CHECKING:
    from mixers.shards import Shards


def default_workdir(recipe: Recipe) -> Path:
    """Where a recipe runs when nothing else is said."""
    return Path("runs") / recipe.name


@dataclass(frozen=True)
class Run:
    """A run: its folder, and the stages of its recipe."""

    folder: Path
    graph: Graph

    @property
    def recipe(self) -> Recipe:
        """What was built."""
        return self.graph.recipe

    def shards(self, stage: str) -> Shards:
        """The rows of a mixture, in training order."""
        from mixers.shards import Shards

        return Shards.open(self.folder / "shards" / stage)

    def report(self) -> dict[str, Any]:
        """What `report.json` holds, gathered again."""
        from pipelines.report.report import gather_report

        return gather_report(self.graph, self.folder)

    def documents(
        self,
        *,
        reason: str | None = None,
        source: str | None = None,
        kept: bool = False,
        number: int = 10,
    ) -> list[dict[str, Any]]:
        """Documents with their signals and verdict: of a source, dropped for a reason, or kept."""
        from pipelines.report.inspect import Wanted, find_documents

        return find_documents(self.graph, self.folder, Wanted(reason, source, kept), number)


def open_run(folder: str | Path) -> Run:
    """A finished run, from the recipe that it keeps.

    Raises:
        UserError: The folder is not one of a finished run.
        WorkError: The run is damaged, or another version of coupage made it.
    """
    folder = Path(folder)
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
    return Run(folder, graph)

"""The folder of a run: where it is by default, and its graph as the run recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import UserError, WorkError
from pipelines.execution.manifest import MANIFEST, Damaged
from pipelines.execution.seal import RunRecord, no_run, read_attempt, read_run
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
    recipe_folder: Path | None = None
    """Where relative paths of the recipe began, as far as it was recorded."""

    @property
    def recipe(self) -> Recipe:
        """What was built."""
        return self.graph.recipe

    @property
    def is_finished(self) -> bool:
        """Whether all its stages are."""
        return all(stage.is_finished(self.folder) for stage in self.graph.stages())

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
        group: str | None = None,
        kept: bool = False,
        held_out: bool = False,
        search: str | None = None,
        random: int | None = None,
        number: int = 10,
    ) -> list[dict[str, Any]]:
        """Documents with their signals and verdict.

        Args:
            reason: How the reason begins for which they were dropped.
            source: Their source.
            group: The group to which they belong.
            kept: They are kept, and not held out.
            held_out: They are held out.
            search: What their text holds, in capitals or not.
            random: The seed of a sample; without one the first are given.
            number: How many.

        Raises:
            UserError: There is no such source, reason or group.
            WorkError: Documents are not judged yet.
        """
        from pipelines.report.inspect import find_documents
        from pipelines.report.wanted import Wanted

        wanted = Wanted(
            reason=reason,
            source=source,
            group=group,
            kept=kept,
            held_out=held_out,
            search=search,
            random=random,
            number=number,
        )
        return find_documents(self.graph, self.folder, wanted)

    def contaminated(
        self,
        benchmark: str | None = None,
        *,
        kind: str | None = None,
        source: str | None = None,
        kept: bool = False,
        number: int = 10,
    ) -> list[dict[str, Any]]:
        """Documents that have something of an item of a benchmark, each match beside its item.

        Args:
            benchmark: The benchmark's name in the recipe.
            kind: `answer`, `question`, `passage` or `template`.
            source: Their source.
            kept: They are kept all the same.
            number: How many, the most harmful first.

        Raises:
            UserError: There is no such benchmark, kind or source.
            WorkError: Documents are not judged yet.
        """
        from pipelines.report.inspect_matches import WantedMatches, find_contaminated

        wanted = WantedMatches(benchmark=benchmark, kind=kind, source=source, kept=kept, number=number)
        return find_contaminated(self.graph, self.folder, wanted)


def open_run(folder: str | Path) -> Run:
    """A finished run, from the recipe that it keeps.

    Raises:
        UserError: The folder is not one of a finished run.
        WorkError: The run is damaged, or another version of coupage made it.
    """
    folder = Path(folder)
    finished = read_run(folder)
    if finished is None:
        raise UserError(
            "this is not the folder of a finished run",
            file=str(folder),
            hint="Give the folder that `coupage run` named; a run that was stopped goes on "
            "with the same command.",
        )
    return _finished(folder, finished)


def open_latest(folder: str | Path) -> Run:
    """The run that was begun last, once all its documents are judged; until then the last finished one.

    Where none was ever finished, the one that was begun, however far it has come.

    Raises:
        UserError: The folder is not one of a run.
        WorkError: The run is damaged, or another version of coupage made it.
    """
    folder = Path(folder)
    attempt, finished = read_attempt(folder), read_run(folder)
    if attempt is not None:
        run = _recorded(folder, attempt)
        if finished is None or all(select.is_finished(folder) for select in run.graph.selects):
            return run
    if finished is not None:
        return _finished(folder, finished)
    raise no_run(folder)


def _finished(folder: Path, record: RunRecord) -> Run:
    run = _recorded(folder, record)
    for stage in run.graph.stages():
        path = stage.folder(folder) / MANIFEST
        if not path.is_file():
            raise Damaged("is missing", file=str(path))
    return run


def _recorded(folder: Path, record: RunRecord) -> Run:
    """The run as its record has it, whatever code, libraries and inputs are now."""
    recipe = Recipe.model_validate_json(record.recipe)
    settings = {label: stage.settings for label, stage in record.stages.items()}
    try:
        graph = build_graph(recipe, RecordedInputs(settings))
        for stage in graph.stages():
            stage.reopen(record.stages[stage.label].fingerprint)
    except KeyError as error:
        raise WorkError(
            f"another version of coupage made this run: it has no stage {error}",
            file=str(folder),
            hint="Run the recipe again in this folder; what is still right is kept.",
        ) from error
    return Run(folder, graph, Path(record.recipe_folder) if record.recipe_folder else None)

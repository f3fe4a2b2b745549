"""`coupage run`: the stages of a recipe in order.

What is finished is kept, every sum is checked, the run is sealed at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from pipelines.commands.console import SILENT, PlainConsole, shown_on
from pipelines.commands.event_lines import failure_as_event, print_event
from pipelines.commands.local import local_folder
from pipelines.commands.open_run import Run, default_workdir
from pipelines.commands.publish import check_places, publish
from pipelines.commands.upload import check_target
from pipelines.commands.upload import publish as publish_elsewhere
from pipelines.commands.warned import print_warnings
from pipelines.errors import UserError
from pipelines.execution.events import Listener, Result
from pipelines.execution.executors.registry import make_executor
from pipelines.execution.lock import only_run_in
from pipelines.execution.log_file import LogFile
from pipelines.execution.manifest import Damaged
from pipelines.execution.progress import Progress
from pipelines.execution.run_stages import run_stages
from pipelines.execution.seal import RunRecord, read_run, write_attempt
from pipelines.execution.stage import Stage
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.expected_seconds import expected_seconds, text_of_sources
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.preflight import preflight
from pipelines.recipe.find import find_recipe
from pipelines.recipe.load import load_recipe
from pipelines.report.licences import licence_lines
from pipelines.report.synthesis import synthesis_lines
from pipelines.stages.set_aside import ReadingStage


def run_recipe(
    name: str,
    workdir: Path | None,
    until: str | None,
    executor: str,
    workers: int | None,
    assignments: list[str],
    quiet: bool,
    json: bool,
) -> None:
    """`coupage run`."""
    with failure_as_event() if json else nullcontext():
        finished = run(
            name,
            workdir=workdir,
            until=until,
            executor=executor,
            workers=workers,
            settings=assignments,
            console=PlainConsole(stderr=True, only_warnings=quiet),
            listeners=[print_event] if json else [],
        )
        if json:
            print_event(_result(finished, whole=until is None))
            return
    console = PlainConsole()
    if until is None:
        _print_shards(finished, console)
        _print_losses(_written(finished), console)
        _print_next(finished, console)
        return
    try:
        _print_losses(finished.report(), console)
    except Damaged as error:  # of a stage that an earlier run finished, and this one did not come to
        console.print(f"warning: {error}", style="yellow", soft_wrap=True)


def _result(run: Run, whole: bool) -> Result:
    """The last event of a run that went well."""
    ledgers = {name: mix.ledger(run.folder) for name, mix in run.graph.mixes.items()} if whole else {}
    try:
        report = _written(run) if whole else run.report()
        warned = [each["in_words"] for each in report["warnings"]]
    except Damaged as error:  # as above
        warned = [str(error)]
    return Result(
        run=str(run.folder),
        shards={
            name: {
                "rows": ledger.rows,
                "tokens": ledger.tokens,
                "loss_tokens": ledger.loss_tokens,
                "folder": str(run.folder / "shards" / name),
            }
            for name, ledger in ledgers.items()
        },
        report=str(run.folder / "report.json") if whole else None,
        warnings=warned,
    )


def _written(run: Run) -> dict[str, Any]:
    """The report of a run that has just come to its end."""
    report: dict[str, Any] = orjson.loads((run.folder / "report.json").read_bytes())
    return report


def _print_shards(run: Run, console: Console) -> None:
    graph, workdir = run.graph, run.folder
    ledgers = {name: mix.ledger(workdir) for name, mix in graph.mixes.items()}
    by_loss = any(ledger.unit == "loss_tokens" for ledger in ledgers.values())
    numbers = ("rows", "tokens", *(("loss tokens",) if by_loss else ()))
    table = Table("shards", *numbers, "where", title=f"{graph.recipe.name} is built")
    for name, ledger in ledgers.items():
        counts = {"rows": ledger.rows, "tokens": ledger.tokens, "loss tokens": ledger.loss_tokens}
        table.add_row(name, *(f"{counts[what]:,}" for what in numbers), str(workdir / "shards" / name))
    console.print(table)


def _print_losses(report: dict[str, Any], console: Console) -> None:
    """What licences, syntheses and benchmarks came to, and all warnings, as far as the run has come."""
    for line in (*licence_lines(report), *synthesis_lines(report)):
        console.print(line, soft_wrap=True)
    if report["contamination"]:
        console.print(report["contamination"]["in_words"], soft_wrap=True)
    # An unfinished run is as it was asked to be.
    print_warnings((each for each in report["warnings"] if each["kind"] != "unfinished"), console)


def _print_next(run: Run, console: Console) -> None:
    console.print(f"Report: {run.folder / 'report.html'}")
    if run.recipe.train:
        console.print(f"Next: coupage train {run.folder} --stage stage1", soft_wrap=True)


def run(
    recipe: str | Path,
    *,
    workdir: str | Path | None = None,
    until: str | None = None,
    executor: str = "local",
    workers: int | None = None,
    settings: Sequence[str] = (),
    console: Console = SILENT,
    listeners: Sequence[Listener] = (),
) -> Run:
    """Build what a recipe describes: what is not finished is run, and finished parts are always kept.

    Args:
        recipe: A file, or the name of a shipped recipe.
        workdir: The run's folder; `runs/<recipe name>` by default.
        until: The last stage to run, a label or the name of a kind such as `select`; all by default.
        executor: `local`, `slurm` or `ray`.
        workers: Tasks at a time; local: one a core by default.
        settings: Overridden keys of the recipe, as `KEY=VALUE`.
        console: Where progress is shown.
        listeners: Functions that are called with every event of the run (`pipelines/execution/events.py`).

    Raises:
        UserError: The recipe or an input is wrong.
        WorkError: The work failed.
    """

    def chosen(graph: Graph, _: LiveInputs) -> list[Stage]:
        return _until(list(graph.stages()), until)

    return run_stages_of(
        recipe,
        chosen,
        workdir=workdir,
        executor=executor,
        workers=workers,
        settings=settings,
        whole=until is None,
        console=console,
        listeners=listeners,
    )


def run_stages_of(
    recipe: str | Path,
    choose: Callable[[Graph, LiveInputs], list[Stage]],
    *,
    workdir: str | Path | None = None,
    executor: str = "local",
    workers: int | None = None,
    settings: Sequence[str] = (),
    whole: bool = False,
    console: Console = SILENT,
    listeners: Sequence[Listener] = (),
) -> Run:
    """Run those stages of a recipe that are chosen, each after its inputs; `whole` publishes the results."""
    loaded = load_recipe(str(recipe), settings)
    folder = local_folder(workdir) or default_workdir(loaded)
    recipe_folder = find_recipe(str(recipe)).parent
    inputs = LiveInputs.for_run(recipe_folder, folder)
    if whole and loaded.publish:
        check_target(loaded.publish.rstrip("/"), loaded.name)
    with Progress(LogFile(), shown_on(console), *listeners) as progress:
        looked = preflight(loaded, inputs, folder, executor)
        for line in looked.recognised_in_words:
            progress.note(line)
        for error in looked.unreachable:
            progress.warn(f"not looked at: {error}")
        tasks = make_executor(executor, loaded.executor, workers)
        with only_run_in(folder), tasks:
            inputs.pin(loaded)
            graph = build_graph(loaded, inputs)
            stages = choose(graph, inputs)
            record = RunRecord.of(loaded.model_dump_json(indent=2), recipe_folder, graph.stages(), folder)
            for stage in stages:
                if isinstance(stage, ReadingStage):
                    stage.check_limit(folder)
            _begin(folder, record, graph, whole)
            inputs.remember(folder)
            conclude = partial(publish, graph, record, folder) if whole else None
            seconds = expected_seconds(stages, folder, text_of_sources(graph, folder, looked))
            run_stages(stages, folder, tasks, progress, conclude, seconds)
    if whole and loaded.publish:
        publish_elsewhere(folder, loaded.publish, console=console)
    return Run(folder, graph)


def _until(stages: list[Stage], name: str | None) -> list[Stage]:
    """The stages up to the last one called `name`, a label or the name of a kind."""
    if name is None:
        return stages
    last = max((i for i, stage in enumerate(stages) if name in (stage.label, stage.name)), default=None)
    if last is None:
        names = ", ".join(dict.fromkeys(stage.name for stage in stages))
        raise UserError(f"there is no stage `{name}`", hint=f"Stages: {names}.")
    return stages[: last + 1]


def _begin(workdir: Path, record: RunRecord, graph: Graph, whole: bool) -> None:
    """Say what is being made, unless the folder holds it already; the last finished run stays as it is.

    Where only some stages are made, what decides none of them may be another than in the finished run.

    Raises UserError where the folder holds other things.
    """
    try:
        finished = read_run(workdir)
    except Damaged:
        finished = None
    check_places(workdir, graph, finished)
    same_recipe = finished is not None and (finished.recipe == record.recipe or not whole)
    if finished is None or finished.stages != record.stages or not same_recipe:
        write_attempt(workdir, record)

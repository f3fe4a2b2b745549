"""`coupage run`: the stages of a recipe in order.

What is finished is kept, every sum is checked, the run is sealed at the end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from mixers.files import write_bytes
from pipelines.commands.console import SILENT
from pipelines.commands.open_run import Run, default_workdir
from pipelines.errors import UserError
from pipelines.execution.executors.registry import make_executor
from pipelines.execution.lock import only_run_in
from pipelines.execution.progress import Progress
from pipelines.execution.run_stage import run_stages
from pipelines.execution.seal import RUN_SEAL, seal_run
from pipelines.execution.stage import Stage
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.find import find_recipe
from pipelines.recipe.load import load_recipe
from pipelines.recipe.recipe import Recipe
from pipelines.report.losses import set_aside_lines, warnings
from pipelines.report.report import write_report
from pipelines.stages.set_aside import ReadingStage


def run_recipe(
    name: str,
    workdir: Path | None,
    until: str | None,
    executor: str,
    workers: int | None,
    assignments: list[str],
) -> None:
    """`coupage run`."""
    finished = run(
        name,
        workdir=workdir,
        until=until,
        executor=executor,
        workers=workers,
        settings=assignments,
        console=Console(stderr=True),
    )
    if until is None:
        _print_summary(finished, Console())


def _print_summary(run: Run, console: Console) -> None:
    graph, workdir = run.graph, run.folder
    table = Table("shards", "rows", "tokens", "where", title=f"{graph.recipe.name} is built")
    for name, stage in graph.shards.items():
        counts = stage.mix.manifest(workdir).counts
        rows, tokens = (f"{counts.number(what):,}" for what in ("rows", "tokens"))
        table.add_row(name, rows, tokens, str(workdir / "shards" / name))
    console.print(table)
    report = orjson.loads((workdir / "report.json").read_bytes())
    for line in set_aside_lines(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in warnings(report):
        console.print(f"warning: {line}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    for name, mix in graph.mixes.items():
        for constraint in mix.ledger(workdir).constraints:
            console.print(f"{name}: {constraint}", style="yellow", highlight=False, markup=False)
    console.print(f"Report: {workdir / 'report.html'}", highlight=False)
    if graph.recipe.train:
        console.print(f"Next: coupage train {workdir} --stage stage1", highlight=False, soft_wrap=True)


def run(
    recipe: str | Path,
    *,
    workdir: str | Path | None = None,
    until: str | None = None,
    executor: str = "local",
    workers: int | None = None,
    settings: Sequence[str] = (),
    console: Console = SILENT,
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

    Raises:
        UserError: The recipe or an input is wrong.
        WorkError: The work failed.
    """
    loaded = load_recipe(str(recipe), settings)
    folder = Path(workdir) if workdir else default_workdir(loaded)
    with Progress(console) as progress:
        tasks = make_executor(executor, loaded.executor, workers, progress.warn)
        with only_run_in(folder), tasks:
            (folder / RUN_SEAL).unlink(missing_ok=True)
            inputs = LiveInputs.for_run(find_recipe(str(recipe)).parent, folder)
            inputs.pin(loaded, folder)
            graph = build_graph(loaded, inputs)
            stages = _until(list(graph.stages()), until)
            inputs.remember(stages, folder)
            for stage in run_stages(stages, folder, tasks, progress):
                if isinstance(stage, ReadingStage):
                    stage.check_limit(folder)
            if until is None:
                _publish(graph, loaded, folder)
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


def _publish(graph: Graph, recipe: Recipe, workdir: Path) -> None:
    """Give the results their lasting names, write the report and seal the run."""
    links = workdir / "shards"
    links.mkdir(exist_ok=True)
    for name, stage in graph.shards.items():
        _link(links / name, stage.dataset(workdir))
    for path in links.iterdir():
        if path.name not in graph.shards:
            path.unlink()
    _link(workdir / "tokenizer", graph.tokenizer.folder(workdir) / "tokenizer")
    write_bytes(
        workdir / "recipe.json", orjson.dumps(recipe.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    )
    write_report(graph, workdir)
    seal_run(workdir, graph.recipe.name, graph.folders(workdir))


def _link(link: Path, target: Path) -> None:
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    temporary = link.with_name(f".{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(relative)
    os.replace(temporary, link)

"""What each command does; `cli` only names them, so that `coupage --help` loads nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from pipelines.errors import UserError, WorkError
from pipelines.graph import Graph, build_graph
from pipelines.inputs import LiveInputs, RecordedInputs
from pipelines.manifest import Damaged
from pipelines.printing import print_json
from pipelines.recipe import (
    Recipe,
    find_recipe,
    load_recipe,
    recipe_schema,
    shipped_recipes,
    validate_recipe,
)
from pipelines.recipe_file import override, parse_recipe_text, read_recipe_text
from pipelines.seal import RUN_SEAL, check_run, recorded_settings, seal_run


def run_recipe(
    name: str,
    workdir: Path | None,
    until: str | None,
    executor: str,
    workers: int | None,
    assignments: list[str],
) -> None:
    """`coupage run`."""
    from pipelines.progress import Progress
    from pipelines.run import RunOptions, run

    recipe = load_recipe(name, assignments)
    console = Console(stderr=True)
    folder = workdir or default_workdir(recipe)
    with Progress(console) as progress:
        graph = run(recipe, find_recipe(name).parent, RunOptions(folder, workers, until, executor), progress)
    if until is None:
        _print_summary(graph, folder, Console())


def default_workdir(recipe: Recipe) -> Path:
    """Where a recipe runs when nothing else is said."""
    return Path("runs") / recipe.name


def _print_summary(graph: Graph, workdir: Path, console: Console) -> None:
    table = Table("shards", "rows", "tokens", "where", title=f"{graph.recipe.name} is built")
    for name, stage in graph.shards.items():
        facts = stage.mix.manifest(workdir).counts.facts
        table.add_row(name, f"{facts['rows']:,}", f"{facts['tokens']:,}", str(workdir / "shards" / name))
    console.print(table)
    for name, mix in graph.mixes.items():
        for constraint in mix.ledger(workdir).constraints:
            console.print(f"{name}: {constraint}", style="yellow", highlight=False, markup=False)
    console.print(f"Report: {workdir / 'report.html'}", highlight=False)
    if graph.recipe.train:
        console.print(f"Next: coupage train {workdir} --stage stage1", highlight=False, soft_wrap=True)


def show_plan(name: str, workdir: Path | None, assignments: list[str], json: bool) -> None:
    """`coupage plan`."""
    from pipelines.plan import make_plan

    recipe = load_recipe(name, assignments)
    folder = workdir or default_workdir(recipe)
    graph = build_graph(recipe, LiveInputs.for_run(find_recipe(name).parent, folder))
    stages = make_plan(graph, folder)
    if json:
        print_json([asdict(stage) for stage in stages])
        return
    by_label = {stage.label: stage for stage in stages}
    tree = Tree(f"[bold]{recipe.name}[/bold] in {folder}")
    shown: set[str] = set()
    for root in graph.shards.values():
        _grow(tree, root.label, by_label, shown)
    console = Console()
    console.print(tree)
    running = [stage for stage in stages if stage.state != "cached"]
    console.print(f"{len(stages) - len(running)} stages cached, {len(running)} to run", highlight=False)


def _grow(tree: Tree, label: str, stages: dict[str, Any], shown: set[str]) -> None:
    stage = stages[label]
    if label in shown:
        tree.add(f"[dim]{label} (above)[/dim]")
        return
    shown.add(label)
    branch = tree.add(_describe(stage))
    for before in stage.inputs:
        _grow(branch, before, stages, shown)


def _describe(stage: Any) -> str:
    from rich.markup import escape

    colour = "green" if stage.state == "cached" else "yellow"
    about = "" if stage.state == "cached" else "about "
    sizes = [
        f"{stage.tasks_done} tasks done" if stage.state == "resume" else "",
        f"{about}{stage.parts:,} parts" if stage.parts is not None else "",
        f"{stage.bytes / 1e6:,.1f} MB" if stage.bytes is not None else "",
        f"{about}{stage.tokens:,} tokens" if stage.tokens is not None else "",
        f"{stage.reusable_documents:,} documents encoded before" if stage.reusable_documents else "",
    ]
    state = f"[{colour}]{stage.state}[/{colour}]"
    text = f"{escape(stage.label)} {state} [dim]{', '.join(filter(None, sizes))}[/dim]"
    return text + (f"\n  [yellow]{escape('; '.join(stage.reasons))}[/yellow]" if stage.reasons else "")


def open_run(folder: Path) -> Graph:
    """The graph of a finished run, from the recipe that it keeps. Raises UserError where there is none."""
    path = folder / "recipe.json"
    if not path.is_file():
        raise UserError(
            "this is not the folder of a finished run",
            file=str(folder),
            mend="Give the folder that `coupage run` named, e.g. runs/quickstart.",
        )
    recipe = Recipe.model_validate_json(path.read_bytes())
    try:
        return build_graph(recipe, RecordedInputs(recorded_settings(folder)))
    except Damaged as error:
        raise WorkError(error.why, file=str(error.path), mend="`coupage verify` finds all damage.") from error


def show_report(folder: Path, json: bool) -> None:
    """`coupage report`."""
    from pipelines.report import gather_report, write_report

    graph = open_run(folder)
    if json:
        print_json(gather_report(graph, folder))
        return
    write_report(graph, folder)
    seal_run(graph, folder)
    Console().print(
        f"{folder / 'report.html'}\n{folder / 'report.json'}\n{folder / 'README.md'}", highlight=False
    )


def inspect_documents(
    folder: Path, reason: str | None, source: str | None, kept: bool, number: int, json: bool
) -> None:
    """`coupage inspect`."""
    from pipelines.inspection import Wanted, find_documents, print_document

    documents = find_documents(open_run(folder), folder, Wanted(reason, source, kept), number)
    if json:
        print_json(documents)
        return
    console = Console()
    for document in documents:
        print_document(document, console)
    if not documents:
        console.print("no document is like that")


def verify_run(folder: Path, json: bool) -> None:
    """`coupage verify`."""
    if not (folder / RUN_SEAL).is_file():
        raise UserError(
            "this is not the folder of a finished run", file=str(folder), mend="Run the recipe to its end."
        )
    damages = list(check_run(folder))
    if json:
        print_json([{"file": str(damage.file), "what": damage.what} for damage in damages])
    elif not damages:
        print("every hash, count and sum is right")
    if damages:
        raise WorkError(
            "\n".join(f"{damage.file}: {damage.what}" for damage in damages),
            mend="Remove the folders of the damaged stages and run again.",
        )


def list_recipes(json: bool) -> None:
    """`coupage recipe list`."""
    recipes = {name: load_recipe(str(path)) for name, path in shipped_recipes().items()}
    if json:
        print_json({name: recipe.description for name, recipe in recipes.items()})
        return
    table = Table("recipe", "what it builds")
    for name, recipe in recipes.items():
        table.add_row(name, recipe.description)
    Console().print(table)


def show_recipe(name: str, full: bool) -> None:
    """`coupage recipe show`."""
    if full:
        import yaml

        print(
            yaml.safe_dump(load_recipe(name).model_dump(mode="json", by_alias=True), sort_keys=False), end=""
        )
    else:
        print(find_recipe(name).read_text(encoding="utf-8"), end="")


def new_recipe(file: Path, like: str) -> None:
    """`coupage recipe new`."""
    if file.exists():
        raise UserError(
            "the file exists already", file=str(file), mend="Choose another name; nothing was written."
        )
    text = find_recipe(like).read_text(encoding="utf-8")
    name = file.stem
    lines = [f"name: {name}" if line.startswith("name:") else line for line in text.splitlines()]
    written = "\n".join(lines) + "\n"
    validate_recipe(parse_recipe_text(written, str(file)))
    file.write_text(written, encoding="utf-8")
    print(f"{file} is written. Next: edit it, then `coupage plan {file}`")


def validate_recipe_file(name: str, assignments: list[str], json: bool) -> None:
    """`coupage recipe validate`."""
    path = find_recipe(name)
    recipe = validate_recipe(override(read_recipe_text(path), assignments))
    if json:
        print_json({"name": recipe.name, "valid": True})
    else:
        print(f"{path} is valid")


def print_schema() -> None:
    """`coupage recipe schema`."""
    print_json(recipe_schema())


def train_stage(run_or_shards: Path, stage: str, resume: bool, assignments: list[str]) -> None:
    """`coupage train`."""
    from pipelines.training import train_run, train_shards

    if (run_or_shards / "recipe.json").is_file():
        train_run(open_run(run_or_shards), run_or_shards, stage, resume, assignments)
    elif (run_or_shards / "coupage.json").is_file():
        train_shards(run_or_shards, stage, resume, assignments)
    else:
        raise UserError(
            "this is neither the folder of a finished run nor a folder of shards",
            file=str(run_or_shards),
            mend="Run the recipe first: `coupage run RECIPE`.",
        )

"""`coupage plan`: the stages of a recipe, drawn as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text
from rich.tree import Tree

from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import default_workdir
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.plan import PlannedStage, make_plan
from pipelines.graph.preflight import look_before
from pipelines.plain import print_json
from pipelines.recipe.find import find_recipe
from pipelines.recipe.load import load_recipe
from pipelines.sources.passed_over import describe


def show_plan(name: str, workdir: Path | None, assignments: list[str], json: bool) -> None:
    """`coupage plan`."""
    graph, folder = _graph(name, workdir, assignments)
    stages = make_plan(graph, folder)
    if json:
        print_json([asdict(stage) for stage in stages])
        return
    by_label = {stage.label: stage for stage in stages}
    tree = Tree(Text.assemble((graph.recipe.name, "bold"), f" in {folder}"))
    shown: set[str] = set()
    for root in graph.shards.values():
        _grow(tree, root.label, by_label, shown)
    console = PlainConsole()
    console.print(tree)
    running = [stage for stage in stages if stage.state != "cached"]
    console.print(f"{len(stages) - len(running)} stages cached, {len(running)} to run", highlight=False)
    for ingest in graph.ingests:
        if passed_over := ingest.source.passed_over():
            said = f"{ingest.scope}: {describe(passed_over)}"
            console.print(said, highlight=False, markup=False, soft_wrap=True)


def _grow(tree: Tree, label: str, stages: dict[str, PlannedStage], shown: set[str]) -> None:
    stage = stages[label]
    if label in shown:
        tree.add(Text(f"{label} (above)", "dim"))
        return
    shown.add(label)
    branch = tree.add(_describe(stage))
    for before in stage.inputs:
        _grow(branch, before, stages, shown)


def _describe(stage: PlannedStage) -> Text:
    colour = "green" if stage.state == "cached" else "yellow"
    about = "" if stage.state == "cached" else "about "
    sizes = [
        f"{stage.tasks_done} tasks done" if stage.state == "resume" else "",
        f"{about}{stage.parts:,} parts" if stage.parts is not None else "",
        f"{stage.bytes / 1e6:,.1f} MB" if stage.bytes is not None else "",
        f"{about}{stage.tokens:,} tokens" if stage.tokens is not None else "",
        f"{stage.reusable_documents:,} documents encoded before" if stage.reusable_documents else "",
    ]
    text = Text.assemble(
        f"{stage.label} ", (stage.state, colour), (f" {', '.join(filter(None, sizes))}", "dim")
    )
    return text.append(f"\n  {'; '.join(stage.reasons)}", "yellow") if stage.reasons else text


def plan(
    recipe: str | Path, *, workdir: str | Path | None = None, settings: Sequence[str] = ()
) -> list[PlannedStage]:
    """What a run of the recipe would do: each stage, whether it is cached, and why it must run.

    Changes nothing. The arguments are those of `run`.
    """
    return make_plan(*_graph(recipe, workdir, settings))


def _graph(recipe: str | Path, workdir: str | Path | None, settings: Sequence[str]) -> tuple[Graph, Path]:
    """The stages of a recipe as its inputs are now, and the run's folder."""
    loaded = load_recipe(str(recipe), settings)
    folder = Path(workdir) if workdir else default_workdir(loaded)
    inputs = LiveInputs.for_run(find_recipe(str(recipe)).parent, folder)
    look_before(loaded, inputs, folder)
    return build_graph(loaded, inputs), folder

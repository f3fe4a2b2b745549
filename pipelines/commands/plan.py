"""`coupage plan`: what a run would read, do and write, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import default_workdir
from pipelines.execution.executors.registry import submission
from pipelines.execution.output import read_tasks
from pipelines.execution.shared_pass import as_one, passes
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.estimate import Estimate, GroupEstimate, Step, estimate
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.plan import PlannedStage, make_plan
from pipelines.graph.preflight import look_before
from pipelines.graph.source_estimate import SourceEstimate
from pipelines.graph.synthesis_estimate import SynthesisEstimate
from pipelines.plain import print_json
from pipelines.recipe.find import find_recipe
from pipelines.recipe.load import load_recipe
from pipelines.sources.passed_over import describe

NEW = "not run before"
LINE = 1000
"""Characters of a line in a file or a pipe."""


@dataclass(frozen=True)
class Plan:
    """What a run of a recipe would do."""

    recipe: str
    folder: Path
    stages: list[PlannedStage]
    estimate: Estimate
    unreachable: list[str]
    """What did not answer, and so was not looked at."""
    recognised: list[str]
    """A line for each source whose conversations were found by their fields."""


def plan(recipe: str | Path, *, workdir: str | Path | None = None, settings: Sequence[str] = ()) -> Plan:
    """What a run of the recipe would do: each stage, whether it is cached and why not, and what it takes.

    Changes nothing. The arguments are those of `run`.

    Raises:
        UserError: The recipe or an input is wrong; all faults are told.
    """
    return _made(recipe, workdir, settings)[1]


def _made(recipe: str | Path, workdir: str | Path | None, settings: Sequence[str]) -> tuple[Graph, Plan]:
    loaded = load_recipe(str(recipe), settings)
    folder = Path(workdir) if workdir else default_workdir(loaded)
    inputs = LiveInputs.for_run(find_recipe(str(recipe)).parent, folder)
    looked = look_before(loaded, inputs, folder)
    graph = build_graph(loaded, inputs)
    return graph, Plan(
        loaded.name,
        folder,
        make_plan(graph, folder),
        estimate(graph, folder, looked),
        [str(error) for error in looked.unreachable],
        looked.recognised_in_words,
    )


def show_plan(name: str, workdir: Path | None, assignments: list[str], json: bool) -> None:
    """`coupage plan`."""
    graph, made = _made(name, workdir, assignments)
    if json:
        print_json({"stages": [asdict(s) for s in made.stages], **asdict(made.estimate)})
        return
    console = PlainConsole()
    if not console.is_terminal:
        console.width = LINE  # nothing is cut where nobody knows how wide it is
    console.print(_tree(made))
    running = [stage for stage in made.stages if stage.state != "cached"]
    console.print(f"{len(made.stages) - len(running)} stages cached, {len(running)} to run")
    console.print(_sources(made.estimate.sources))
    console.print(_groups(made.estimate.groups))
    told = made.estimate
    for line in (*_costs(told), *_synthesis(told), *_training(told), *_few_held_out(told)):
        console.print(line, soft_wrap=True)
    for ingest in graph.ingests:
        if passed_over := ingest.source.passed_over():
            console.print(f"{ingest.scope}: {describe(passed_over)}", soft_wrap=True)
    for recognised in made.recognised:
        console.print(recognised, soft_wrap=True, markup=False, highlight=False)
    for error in made.unreachable:
        console.print(f"not looked at: {error}", style="yellow", soft_wrap=True)


def show_submissions(name: str, workdir: Path | None, executor: str, assignments: list[str]) -> None:
    """`coupage plan --executor`: what the executor would be given for each stage that is to run."""
    graph, made = _made(name, workdir, assignments)
    console = PlainConsole()
    planned = {stage.label: stage for stage in made.stages if stage.state != "cached"}
    parts = {stage.section: stage.parts for stage in made.stages if stage.parts}
    for members in passes(stage for stage in graph.stages() if stage.label in planned):
        stage, first = as_one(members), planned[members[0].label]
        tasks, sure = _tasks(members[0], first.tasks_done, parts.get(first.section), made.folder)
        console.print(f"# {stage.label}: {sure}", soft_wrap=True)
        text = submission(executor, graph.recipe.executor, stage, made.folder, tasks)
        console.print(text, soft_wrap=True)


def _tasks(stage: Stage, done: int, parts: int | None, workdir: Path) -> tuple[int, str]:
    """How many tasks are to be done, and how sure that is, in words."""
    if listed := read_tasks(stage.folder(workdir)):
        return len(listed) - done, f"{len(listed) - done} tasks"
    if isinstance(stage, SingleTaskStage):
        return 1, "1 task"
    later = "the number is known when its inputs are there"
    return (parts, f"about {parts} tasks; {later}") if parts else (1, f"some tasks; {later}")


def _tree(made: Plan) -> Tree:
    """A line for each source, each mixture and what lies between; below it why its stages run."""
    all_new = all(NEW in stage.reasons for stage in made.stages)
    title = Text.assemble((made.recipe, "bold"), f" in {made.folder}")
    tree = Tree(title.append(f": {NEW}", "yellow") if all_new else title)
    sections: dict[str, list[PlannedStage]] = {}
    for stage in made.stages:
        sections.setdefault(stage.section, []).append(stage)
    for name, stages in sections.items():
        branch = tree.add(Text.assemble(f"{name} ", _described(stages)))
        for reason in [] if all_new else _reasons(stages):
            branch.add(Text(reason, "yellow"))
    return tree


def _described(stages: list[PlannedStage]) -> Text:
    cached = [stage for stage in stages if stage.state == "cached"]
    waiting = [stage for stage in stages if stage.state != "cached"]
    parts = []
    if cached:
        parts.append(Text.assemble(("cached ", "green"), _folded(cached)))
    if waiting:
        parts.append(Text.assemble((f"{_state(waiting)} ", "yellow"), _folded(waiting)))
    return Text("; ").join(parts)


def _state(waiting: list[PlannedStage]) -> str:
    done = sum(stage.tasks_done for stage in waiting)
    return f"resume ({done} tasks done)" if done else "run"


def _folded(stages: list[PlannedStage]) -> Text:
    """The stages in order; those of a kind that follow one another are one."""
    return Text(", ").join(
        _kind(kind, list(same)) for kind, same in groupby(stages, lambda stage: stage.kind)
    )


def _kind(kind: str, stages: list[PlannedStage]) -> Text:
    if len(stages) > 1:
        return Text.assemble(f"{kind} ", (f"({len(stages)})", "dim"))
    (stage,) = stages
    about = [
        f"about {stage.parts:,} parts" if stage.parts and stage.state != "cached" else "",
        f"{stage.reusable_documents:,} documents encoded before" if stage.reusable_documents else "",
    ]
    sizes = ", ".join(filter(None, about))
    return Text.assemble(stage.label, (f" ({sizes})" if sizes else "", "dim"))


def _reasons(stages: list[PlannedStage]) -> Iterator[str]:
    """Each reason once; none where all that runs is new."""
    seen: set[str] = set()
    for stage in stages:
        reasons = "; ".join(reason for reason in stage.reasons if reason != NEW)
        if reasons and reasons not in seen:
            seen.add(reasons)
            yield f"{stage.label}: {reasons}"
    waiting = [stage for stage in stages if stage.state != "cached"]
    if waiting and all(NEW in stage.reasons for stage in waiting):
        yield NEW
    elif waiting and not seen and (first := _first_outside(stages, waiting)):
        yield f"after {first}"


def _first_outside(stages: list[PlannedStage], waiting: list[PlannedStage]) -> str | None:
    own = {stage.label for stage in stages}
    return next((label for stage in waiting for label in stage.after if label not in own), None)


def _sources(sources: list[SourceEstimate]) -> Table:
    table = _table("source", "group", "input", "documents", "tokens")
    for each in sources:
        about = "" if each.exact else "about "
        table.add_row(
            each.source,
            each.group,
            _size(each.input_bytes),
            "?" if each.documents is None else f"{about}{each.documents:,}",
            "?" if each.tokens is None else f"about {_count(each.tokens)}",
        )
    return table


def _groups(groups: Iterable[GroupEstimate]) -> Table:
    table = _table("mixture", "group", "asked", "available", "epochs", "")
    for each in groups:
        short = f"short of {_count(each.lacking)}" if each.lacking else ""
        small = "less than a row: there may be none" if each.less_than_a_row else ""
        table.add_row(
            each.mixture,
            each.group,
            f"{_count(each.asked)} {'' if each.unit == 'tokens' else '(loss)'}".strip(),
            "?" if each.available is None else f"about {_count(each.available)}",
            "?" if each.epochs is None else f"{each.epochs:.1f} of {each.max_epochs:g}",
            Text(short or small, "yellow"),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    return table


def _costs(made: Estimate) -> Iterator[Text]:
    enough = "" if made.disk_bytes < made.free_bytes else " too little"
    disk = f"Disk: about {_size(made.disk_bytes)} to write, {_size(made.free_bytes)} free"
    yield Text.assemble(disk, (enough, "red"))
    if made.steps:
        seconds = sum(step.seconds for step in made.steps)
        steps = ", ".join(map(_step, made.steps))
        yield Text(f"Time: about {_duration(seconds)} ({steps}), without deduplication and mixing")


def _synthesis(made: Estimate) -> Iterator[Text]:
    for each in made.synthesis:
        yield Text(f"Synthesis {each.name}: {_asked(each)}")
        if each.is_short:
            yield Text(
                f"Synthesis {each.name}: the {each.passages:,} passages that there are give about "
                f"{_count(each.tokens or 0)} of the {_count(each.wanted or 0)} tokens that are wanted",
                "yellow",
            )


def _asked(each: SynthesisEstimate) -> str:
    """What a model is still asked, and what that takes."""
    before = f", {each.answered:,} answered before" if each.answered else ""
    if each.calls is None or each.input_tokens is None or each.output_tokens is None or each.seconds is None:
        return f"an unknown number of calls to {each.model}{before}; how much is asked about is known later"
    measured = "measured here" if each.speed_measured else "not measured here"
    money = "" if each.money is None else f", {each.money:,.2f} by your prices"
    return (
        f"about {each.calls:,} calls to {each.model}{before}, {_count(each.input_tokens)} tokens in, "
        f"{_count(each.output_tokens)} out, {_duration(each.seconds)} at {each.tokens_a_second:,.0f} output "
        f"tokens/s ({measured}){money}; by {each.rests_on}"
    )


def _training(made: Estimate) -> Iterator[Text]:
    for each in made.training:
        tokens = "an unknown number of" if each.tokens is None else f"about {_count(each.tokens)}"
        line = f"Training {each.stage}: {tokens} tokens"
        if each.evaluations:
            held_out = (
                f"{each.evaluations} evaluations of about {_count(each.held_out_tokens)} held-out tokens"
            )
            line += f", {held_out}"
        if each.evaluation_share:
            line += f", which add about {each.evaluation_share:.1%} to its time"
        if each.seconds is not None:
            line += f"; about {_duration(each.seconds)} in all, at the speed of the last training here"
        yield Text(line)


def _few_held_out(made: Estimate) -> Iterator[Text]:
    few = [
        f"{each.group} (about {each.documents or 0:,} documents, {_count(each.tokens or 0)} tokens)"
        for each in made.held_out
        if each.few
    ]
    if few:
        yield Text(
            f"Held out, too few to compare models by: {', '.join(few)}; raise held_out.share", "yellow"
        )


def _step(step: Step) -> str:
    where = "measured here" if step.measured else "as documented"
    return f"{step.name} {_duration(step.seconds)} at {step.mb_a_second:g} MB/s {where}"


def _size(number: int | None) -> str:
    if number is None:
        return "?"
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= scale:
            return f"{number / scale:,.1f} {unit}"
    return f"{number / 1e3:,.1f} kB"


def _count(number: int) -> str:
    for unit, scale in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 10 * scale:
            return f"{number / scale:,.1f}{unit}"
    return f"{number:,}"


def _duration(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(1, round(seconds))} s"

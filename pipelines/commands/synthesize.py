"""`coupage synthesize`: makes the new documents of a recipe, or tries its prompts on a few passages first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mixers.printable import storable
from pipelines.commands.console import SILENT, PlainConsole
from pipelines.commands.run import run, run_stages_of
from pipelines.errors import UserError
from pipelines.execution.lock import only_run_in
from pipelines.execution.stage import Stage, inputs_first
from pipelines.graph.build import Graph
from pipelines.graph.inputs import LiveInputs
from pipelines.plain import print_json
from pipelines.recipe.mistakes import nearest
from pipelines.report.synthesis_examples import shortened
from pipelines.stages.synthesis.document_table import plain_text
from pipelines.stages.synthesis.made_documents import MadeDocuments
from pipelines.stages.synthesis.trial import KEPT, write_trial
from pipelines.synthesis.asking.outcomes import Outcome
from pipelines.synthesis.draft import Draft
from pipelines.synthesis.passage import Passage

SHOWN = 1_200
"""Characters of a passage, or of what came back, on a terminal."""


def synthesize_recipe(
    name: str,
    only: str | None,
    sample: int | None,
    workdir: Path | None,
    assignments: list[str],
    json: bool,
    quiet: bool,
) -> None:
    """`coupage synthesize`."""
    progress, console = PlainConsole(stderr=True, only_warnings=quiet), PlainConsole()
    if sample is None:
        if only is not None:
            raise UserError("--only goes with --sample", hint="`coupage run` makes what the recipe names.")
        run(name, workdir=workdir, until=MadeDocuments.name, settings=assignments, console=progress)
        return
    trial = try_synthesis(name, sample, only=only, workdir=workdir, settings=assignments, console=progress)
    if json:
        print_json(trial)
        return
    for method in trial["methods"]:
        _show(method, console)


def try_synthesis(
    recipe: str | Path,
    sample: int,
    *,
    only: str | None = None,
    workdir: str | Path | None = None,
    settings: Sequence[str] = (),
    console: Console = SILENT,
) -> dict[str, Any]:
    """What the model makes of a few passages: those that the run would ask about first.

    What must run before is run. Answers are kept, so the run does not ask for them again.

    Args:
        recipe: A file, or the name of a shipped recipe.
        sample: Passages, each of another document.
        only: The entry of `synthesize`; all that ask a model by default.
        workdir: The run's folder; `runs/<recipe name>` by default.
        settings: Overridden keys of the recipe, as `KEY=VALUE`.
        console: Where progress is shown.

    Returns:
        JSON-able: `methods`, each with `name`, `method`, `model`, sums, and `passages`, each with its text
        and what came of it.

    Raises:
        UserError: The recipe or an input is wrong, or it makes nothing with a model.
        WorkError: The work failed, or the model does not answer.
    """
    stages: list[MadeDocuments] = []

    def before_asking(graph: Graph, _: LiveInputs) -> list[Stage]:
        stages.extend(map(_without_others, _wanted(graph, only)))
        return list(inputs_first(before for stage in stages for before in stage.inputs))

    made = run_stages_of(recipe, before_asking, workdir=workdir, settings=settings, console=console)
    with only_run_in(made.folder):
        trial = {"methods": [_try(stage, made.folder, sample) for stage in stages]}
        write_trial(made.folder, trial)
    return trial


def _wanted(graph: Graph, only: str | None) -> list[MadeDocuments]:
    stages = [stage for stage in graph.stages() if isinstance(stage, MadeDocuments)]
    if not stages:
        raise UserError(
            "the recipe makes nothing with a model",
            place="synthesize",
            hint="Add an entry such as `questions: {method: qa, domains: [law]}`, and a model's endpoint.",
        )
    chosen = [stage for stage in stages if only in (None, stage.scope)]
    if not chosen:
        names = [stage.scope for stage in stages]
        near = nearest(only or "", names)
        raise UserError(
            f"`synthesize` has no entry `{only}` that asks a model",
            hint=f"Did you mean `{near}`?" if near else f"There are: {', '.join(names)}.",
        )
    return chosen


def _without_others(stage: MadeDocuments) -> MadeDocuments:
    """The stage, asking about all kept documents where Stage 1 waits for what other entries are to make."""
    if any(isinstance(before, MadeDocuments) for before in inputs_first(stage.inputs)):
        return replace(stage, asked=replace(stage.asked, about=None))
    return stage


def _try(stage: MadeDocuments, workdir: Path, sample: int) -> dict[str, Any]:
    passages = islice(_first_of_each(stage.passages(workdir)), sample)
    with closing(stage.outcomes(workdir, passages, f"trial-{stage.scope}")) as found:
        outcomes = list(found)
    verdicts = Counter(_verdict(result) for each in outcomes for result in each.results)
    return {
        "name": stage.scope,
        **stage.made_by,
        "calls": sum(each.calls for each in outcomes),
        "input_tokens": sum(each.input_tokens for each in outcomes),
        "output_tokens": sum(each.output_tokens for each in outcomes),
        "verdicts": dict(verdicts.most_common()),
        "passages": [_shown(each) for each in outcomes],
    }


def _first_of_each(passages: Iterator[Passage]) -> Iterator[Passage]:
    """The first passage of each document."""
    last = None
    for passage in passages:
        if passage.parent_id != last:
            last = passage.parent_id
            yield passage


def _verdict(result: Any) -> str:
    return KEPT if isinstance(result, Draft) else result.reason


def _shown(outcome: Outcome) -> dict[str, Any]:
    results = [
        {
            "verdict": _verdict(result),
            "kind": result.kind if isinstance(result, Draft) else None,
            "text": plain_text(result) if isinstance(result, Draft) else storable(result.excerpt),
        }
        for result in outcome.results
    ]
    passage = outcome.passage
    return {"passage": passage.id, "group": passage.domain, "text": passage.text, "results": results}


def _show(trial: dict[str, Any], console: Console) -> None:
    """Passages beside what came of them."""
    table = Table("passage", "what came back", "verdict", show_lines=True)
    table.title = f"{trial['name']}: {trial['method']} by {trial['model']}"
    for passage in trial["passages"]:
        asked = f"{passage['passage']}\n\n{shortened(passage['text'], SHOWN)}"
        for result in passage["results"] or [{"verdict": "nothing", "kind": None, "text": ""}]:
            verdict = " ".join(filter(None, (result["verdict"], result["kind"])))
            table.add_row(asked, shortened(result["text"], SHOWN), verdict)
            asked = ""
    console.print(table)
    verdicts = ", ".join(f"{name} {number:,}" for name, number in trial["verdicts"].items())
    console.print(
        f"{len(trial['passages']):,} passages, {trial['calls']:,} calls, {trial['input_tokens']:,} tokens "
        f"in, {trial['output_tokens']:,} out: {verdicts or 'nothing'}",
        soft_wrap=True,
    )

"""`coupage ablate`: what each source, rule or edit of a recipe does, by training with and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.commands.console import SILENT, PlainConsole
from pipelines.commands.run import run_stages_of
from pipelines.commands.trials import cost_of, keep, require_seeds
from pipelines.errors import UserError
from pipelines.evaluation.effects import ALL, Effect, Replicates, effects, replicates
from pipelines.execution.events import Listener
from pipelines.execution.stage import Stage, inputs_first
from pipelines.graph.ablation import KINDS, NULL, Ablation, Kind, ablation
from pipelines.graph.build import Graph
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.trials import TrialMaker
from pipelines.plain import print_json
from pipelines.stages.trials.trial import Trial

WORDS = {"lower": "helps", "higher": "hurts", "no effect": "no effect"}


@dataclass(frozen=True, kw_only=True)
class _Trials:
    """The trainings of an ablation."""

    maker: TrialMaker
    ablation: Ablation
    reference: list[Trial]
    arms: dict[str, list[Trial]]
    """By what each adds or leaves out, and under `NULL` those that change nothing."""

    @classmethod
    def of(cls, maker: TrialMaker, ablation: Ablation, seeds: int) -> _Trials:
        """Each arm, so many times."""
        arms = {
            item: [maker.trial(arm, seed) for seed in range(seeds)] for item, arm in ablation.arms.items()
        }
        arms[NULL] = [maker.trial(ablation.null, seed, salt=NULL) for seed in range(seeds)]
        reference = [maker.trial(ablation.reference, seed) for seed in range(seeds)]
        return cls(maker=maker, ablation=ablation, reference=reference, arms=arms)

    @property
    def all(self) -> list[Trial]:
        """Those of the reference first."""
        return [*self.reference, *(trial for trials in self.arms.values() for trial in trials)]


def chosen_kind(**asked: bool) -> Kind:
    """The one kind that was asked for. Raises UserError."""
    kinds = [kind for kind in KINDS if asked[kind]]
    if len(kinds) != 1:
        raise UserError("what is to be tried?", hint="Give one of --sources, --rules and --edits.")
    return kinds[0]


def ablate_recipe(
    recipe: str,
    kind: Kind,
    only: list[str],
    add_one: bool,
    workdir: Path | None,
    executor: str,
    workers: int | None,
    assignments: list[str],
    quiet: bool,
    json: bool,
) -> None:
    """`coupage ablate`."""
    found = ablate(
        recipe,
        kind,
        only=only,
        add_one=add_one,
        workdir=workdir,
        executor=executor,
        workers=workers,
        settings=assignments,
        console=PlainConsole(stderr=True, only_warnings=quiet),
    )
    if json:
        print_json(found)
    else:
        _print(found, PlainConsole())


def ablate(
    recipe: str | Path,
    kind: Kind,
    *,
    only: Sequence[str] = (),
    add_one: bool = False,
    workdir: str | Path | None = None,
    executor: str = "local",
    workers: int | None = None,
    settings: Sequence[str] = (),
    console: Console = SILENT,
    listeners: Sequence[Listener] = (),
) -> dict[str, Any]:
    """What each source, rule or edit of a recipe does to bits per byte of held-out documents.

    A model is trained shortly with and without it (`trials` in the recipe), on the same number of tokens and
    with the same weights of the groups. What the run has made is used; what was trained before is not
    trained again.

    Args:
        recipe: A file, or the name of a shipped recipe.
        kind: `sources`, `rules` or `edits`.
        only: The items that are tried; all by default.
        add_one: Each arm adds one item to a reference without any; else it leaves one out of all.
        workdir: The run's folder; `runs/<recipe name>` by default.
        executor: `local`, `slurm` or `ray`.
        workers: Trainings at a time.
        settings: Overridden keys of the recipe, as `KEY=VALUE`.
        console: Where progress is shown.
        listeners: Functions that are called with every event (`pipelines/execution/events.py`).

    Returns:
        JSON-able, as `trials/ablation-KIND.json` of the run holds it: `kind`, `stage`, `tokens`, `seeds`,
        `items`, the most helpful first, each with its `effect` on `all` groups and on each of `groups`
        (`value` in bits per byte, `interval`, `verdict`), `notes` and `cost`; `null`, the same of an arm that
        changes nothing; and the `cost` of all.

    Raises:
        UserError: The recipe or an input is wrong, or there is nothing to try.
        WorkError: The work failed.
    """
    run_chosen = partial(
        run_stages_of,
        recipe,
        workdir=workdir,
        executor=executor,
        workers=workers,
        settings=settings,
        console=console,
        listeners=listeners,
    )
    made: list[_Trials] = []

    def choose(graph: Graph, inputs: LiveInputs) -> list[Stage]:
        maker = _maker(graph)
        if made:  # a run of the plan alone told what there is of each source
            maker = maker.pinned(made.pop().reference[0].mix.supply(run.folder))
        made.append(
            _Trials.of(maker, ablation(maker, kind, inputs, only, add_one), graph.recipe.trials.seeds)
        )
        return list(inputs_first(made[0].all))

    def only_plan(graph: Graph, inputs: LiveInputs) -> list[Stage]:
        choose(graph, inputs)
        return list(inputs_first([made[0].reference[0].mix]))

    if kind != "sources":
        run = run_chosen(only_plan)
    run = run_chosen(choose)
    (trials,) = made
    found = _gathered(trials, run.folder)
    keep(run.folder, f"ablation-{kind}", found, trials.all)
    return found


def _maker(graph: Graph) -> TrialMaker:
    require_seeds(graph.recipe.trials)
    return TrialMaker.of(graph, graph.recipe.trials)


def _gathered(asked: _Trials, workdir: Path) -> dict[str, Any]:
    reference = replicates([trial.pieces(workdir) for trial in asked.reference])
    arms = {
        item: replicates([trial.pieces(workdir) for trial in trials]) for item, trials in asked.arms.items()
    }
    by_group = {group: _effects(asked.ablation, group, reference, arms) for group in reference}

    def described(item: str) -> dict[str, Any]:
        return {
            "effect": by_group[ALL][item].to_json(),
            "groups": {group: found[item].to_json() for group, found in by_group.items() if group != ALL},
            "notes": list(asked.arms[item][0].mix.ledger(workdir).constraints),
            "cost": cost_of(asked.arms[item], workdir),
        }

    items = sorted(asked.ablation.arms, key=lambda item: by_group[ALL][item].value)
    return {
        "kind": asked.ablation.kind,
        "add_one": asked.ablation.add_one,
        "stage": asked.maker.stage,
        "tokens": asked.maker.tokens,
        "seeds": len(asked.reference),
        "reference": {group: float(found.scores.mean()) for group, found in reference.items()},
        "items": [{"item": item, **described(item)} for item in items],
        "null": described(NULL),
        "cost": cost_of(asked.all, workdir),
    }


def _effects(
    asked: Ablation, group: str, reference: dict[str, Replicates], arms: dict[str, dict[str, Replicates]]
) -> dict[str, Effect]:
    """The effect of having each item; that of the null arm is as it is."""
    found = effects(reference[group], {item: scores[group] for item, scores in arms.items()})
    if asked.add_one:
        return found
    return {item: effect if item == NULL else effect.turned() for item, effect in found.items()}


def _print(found: dict[str, Any], console: Console) -> None:
    groups = list(found["items"][0]["groups"])
    table = Table(found["kind"], "verdict", "effect, all groups", *groups)
    for entry in [*found["items"], {"item": f"({NULL})", **found["null"]}]:
        effect = entry["effect"]
        cells = (_in_words(entry["groups"][group]) for group in groups)
        table.add_row(entry["item"], WORDS[effect["verdict"]], _in_words(effect), *cells)
    console.print(table)
    console.print(
        f"bits per byte with each less those without it, under 0 is better; 95 % intervals, all together. "
        f"{found['seeds']} trainings of each on {found['tokens']:,} tokens; "
        f"{found['cost']['tokens']:,} tokens in {found['cost']['seconds']:,.0f} s of training.",
        soft_wrap=True,
    )
    for entry in found["items"]:
        for note in entry["notes"]:
            console.print(f"{entry['item']}: {note}", soft_wrap=True)


def _in_words(effect: dict[str, Any]) -> str:
    reach = (effect["interval"][1] - effect["interval"][0]) / 2
    return f"{effect['value']:+.4f} ± {reach:.4f}"

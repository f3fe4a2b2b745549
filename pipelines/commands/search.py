"""`coupage search`: which weights of a recipe's groups are best, by short trainings of its model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from mixers.files import write_bytes
from mixers.search.confirm import Confirmation, confirm
from mixers.search.design import design
from mixers.search.laws import Laws, fit_laws
from mixers.search.optimum import Aim, Proposals, propose
from mixers.search.space import Array, Space, SpaceError
from pipelines.commands.console import SILENT, PlainConsole
from pipelines.commands.run import run_stages_of
from pipelines.commands.trials import Round, cost_of, keep, require_seeds, train_on
from pipelines.errors import UserError
from pipelines.evaluation.effects import ALL, noise_of
from pipelines.execution.events import Listener
from pipelines.plain import print_json
from pipelines.recipe.assignments import override
from pipelines.recipe.find import find_recipe
from pipelines.recipe.load import load_recipe
from pipelines.recipe.trials import Search
from pipelines.recipe.yaml_text import read_recipe_text

RESULT = "search"
DIGITS = 4
"""Of a share that is proposed."""


def search_recipe(
    recipe: str,
    output: Path | None,
    workdir: Path | None,
    executor: str,
    workers: int | None,
    assignments: list[str],
    quiet: bool,
    json: bool,
) -> None:
    """`coupage search`."""
    if output is not None:
        _check_output(output, recipe)
    found = search(
        recipe,
        workdir=workdir,
        executor=executor,
        workers=workers,
        settings=assignments,
        console=PlainConsole(stderr=True, only_warnings=quiet),
    )
    if output is not None:
        write_bytes(output, filled_in(recipe, assignments, found).encode())
    if json:
        print_json(found)
        return
    console = PlainConsole()
    _print(found, console)
    if output is not None:
        console.print(f"{output} is written. Next: coupage run {output}", soft_wrap=True)


def search(
    recipe: str | Path,
    *,
    workdir: str | Path | None = None,
    executor: str = "local",
    workers: int | None = None,
    settings: Sequence[str] = (),
    console: Console = SILENT,
    listeners: Sequence[Listener] = (),
) -> dict[str, Any]:
    """The weights of a mixture that make the bits per byte of the targets small, by short trainings.

    Some mixtures are tried (`search.probes`), laws are fitted to what they gave, and those that the laws
    predict to be best are tried beside the recipe's own (`search.confirm`), within bounds, guards and the
    most times that documents may be repeated. What was trained before is not trained again.

    Args:
        recipe: A file, or the name of a shipped recipe.
        workdir: The run's folder; `runs/<recipe name>` by default.
        executor: `local`, `slurm` or `ray`.
        workers: Trainings at a time.
        settings: Overridden keys of the recipe, as `KEY=VALUE`.
        console: Where progress is shown.
        listeners: Functions that are called with every event (`pipelines/execution/events.py`).

    Returns:
        JSON-able, as `trials/search.json` of the run holds it: `weights` by group, or null where no mixture
        is significantly better than the recipe's own; `own`; `targets`; `intervals` of the best weights;
        `candidates`, each with `shares`, the `predicted` and the measured `gain` of the targets' mean and
        what becomes of each target; `probes`; `cost`.

    Raises:
        UserError: The recipe or an input is wrong, or no mixture keeps the bounds.
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
    loaded = load_recipe(str(recipe), settings)
    asked, seeds = loaded.search, loaded.trials.seeds
    if asked.confirm:
        require_seeds(loaded.trials)
    own = train_on(run_chosen, [None], seeds)
    targets, aim = _aim(asked, own)
    space = _space(asked, own)
    start = space.share(own.tried[0].shares[None])[0]
    probes = train_on(run_chosen, _probes(asked, own, space, start), asked.probe_seeds)
    tried = [*own.tried, *probes.tried]
    weights = np.array([each.shares for each in tried])
    laws = fit_laws(weights, np.array([each.losses(targets) for each in tried]), seed=asked.seed)
    best = propose(laws, space, start, aim, count=max(1, asked.confirm), seed=asked.seed)
    confirmed = None
    if asked.confirm and len(best.mixtures):
        confirmed = train_on(run_chosen, [_named(own, mixture) for mixture in best.mixtures], seeds)
    measured = _measured(laws, start, own, confirmed, targets, aim, asked.seed) if confirmed else None
    found = _answer(own, probes, targets, best, measured)
    rounds = [each for each in (own, probes, confirmed) if each is not None]
    trials = [trial for each in rounds for of_arm in each.trials for trial in of_arm]
    found["cost"] = cost_of(trials, own.workdir)
    keep(own.workdir, RESULT, found, trials)
    return found


def _aim(asked: Search, own: Round) -> tuple[list[str], Aim]:
    """The held-out groups that count, and what is best for them. Raises UserError for an unknown one."""
    known = [group for group in own.tried[0].scores if group != ALL]
    for place, names in (("targets", asked.targets), ("guard", asked.guard)):
        for name in names:
            if name not in known:
                raise UserError(
                    f"no held-out documents are of the group `{name}`",
                    place=f"search.{place}",
                    hint=f"There are: {', '.join(known)}.",
                )
    shares = asked.targets or dict.fromkeys(known, 1.0)
    targets = list(dict.fromkeys([*shares, *asked.guard]))
    return targets, Aim(
        shares=np.array([shares.get(name, 0.0) for name in targets]),
        most_above=np.array([asked.guard.get(name, np.inf) for name in targets]),
    )


def _space(asked: Search, own: Round) -> Space:
    """The mixtures that keep the bounds, and repeat nothing more often than the recipe allows."""
    mixture, supply = own.maker.mixture, own.supply
    most = [mixture.epochs_allowed(name) * supply.get(name, 0) / mixture.tokens for name in own.groups]
    bounds = [asked.bounds.get(name) for name in own.groups]
    upper = [min(1.0, each, bound.max if bound else 1.0) for each, bound in zip(most, bounds, strict=True)]
    lower = [bound.min if bound else 0.0 for bound in bounds]
    for name, low, high, each in zip(own.groups, lower, upper, most, strict=True):
        if low > high:
            raise UserError(
                f"`{name}` may have {each:.1%} of the mixture at most: more would repeat it more often than "
                "`max_epochs` allows",
                place=f"search.bounds.{name}.min",
                hint="Lower it, or raise `max_epochs`.",
            )
    try:
        return Space(lower=np.array(lower), upper=np.array(upper))
    except SpaceError as error:
        raise UserError(str(error), place="search.bounds", hint="Widen them.") from error


def _probes(asked: Search, own: Round, space: Space, start: Array) -> list[dict[str, float]]:
    """The mixtures that are tried first, besides the recipe's own."""
    designed = design(space, asked.number_of_probes(space.groups), start[None], seed=asked.seed)
    return [_named(own, mixture) for mixture in designed[1:]]


def _named(own: Round, mixture: Array) -> dict[str, float]:
    """The shares of a mixture by group, rounded; a group that would not get half a row gets none."""
    least = own.maker.mixture.sequence_length / 2 / own.maker.tokens
    rounded = (round(float(share), DIGITS) for share in mixture)
    named = zip(own.groups, rounded, strict=True)
    return {group: share if share >= least else 0.0 for group, share in named}


def _measured(
    laws: Laws, start: Array, own: Round, confirmed: Round, targets: list[str], aim: Aim, seed: int
) -> Confirmation:
    """The mixtures predicted best beside the recipe's own, as trained."""
    tried = [*own.tried, *confirmed.tried]
    scores = np.array([[each.scores[target] for target in targets] for each in tried])
    repeats = scores.shape[2]
    noise = [noise_of(scores[:, target])[0] / repeats for target in range(len(targets))]
    return confirm(
        laws,
        start,
        np.array([each.shares for each in confirmed.tried]),
        own.tried[0].losses(targets),
        np.array([each.losses(targets) for each in confirmed.tried]),
        np.array(noise),
        aim,
        seed=seed,
    )


def _answer(
    own: Round, probes: Round, targets: list[str], best: Proposals, measured: Confirmation | None
) -> dict[str, Any]:
    """What was found, JSON-able."""
    chosen = measured.best if measured else 0 if len(best.mixtures) else None
    candidates = [
        {
            "shares": _named(own, mixture),
            "predicted": _gain(best, number, targets),
            "measured": None if measured is None else _gain(measured, number, targets),
            "keeps_guards": None if measured is None else bool(measured.keeps[number]),
        }
        for number, mixture in enumerate(best.mixtures)
    ]
    return {
        "stage": own.maker.stage,
        "tokens": own.maker.tokens,
        "targets": targets,
        "weights": None if chosen is None else candidates[chosen]["shares"],
        "own": dict(zip(own.groups, own.tried[0].shares.tolist(), strict=True)),
        "intervals": dict(zip(own.groups, best.weight_interval.tolist(), strict=True)),
        "candidates": candidates,
        "probes": [
            {
                "shares": dict(zip(own.groups, each.shares.tolist(), strict=True)),
                "scores": {group: float(scores.mean()) for group, scores in each.scores.items()},
            }
            for each in [*own.tried, *probes.tried]
        ],
    }


def _gain(found: Proposals | Confirmation, number: int, targets: list[str]) -> dict[str, Any]:
    """By how much the targets' mean falls below that of the recipe's own, and how far each is above it."""
    return {
        "gain": float(found.gain[number]),
        "interval": found.gain_interval[number].tolist(),
        "above": {
            target: {"value": float(value), "interval": interval.tolist()}
            for target, value, interval in zip(
                targets, found.above[number], found.above_interval[number], strict=True
            )
        },
    }


def filled_in(recipe: str, assignments: Sequence[str], found: dict[str, Any]) -> str:
    """The recipe as YAML, with the weights that were found; its own where none is better."""
    text = read_recipe_text(find_recipe(recipe))
    stage = found["stage"]
    weights = found["weights"] or found["own"]
    mixture = (
        load_recipe(recipe, assignments).whole_mixtures[stage].model_dump(mode="json", exclude_unset=True)
    )
    kept = {group: round(100 * share, 2) for group, share in weights.items() if share > 0}
    mixture |= {"weights": kept}
    mixture = {key: value for key, value in mixture.items() if key not in ("include", "synthetic") or value}
    values = override(text, [*assignments]).values
    values["mixtures"] = {**values["mixtures"], stage: mixture}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)


def _check_output(output: Path, recipe: str) -> None:
    """Raise UserError where the recipe that is to be written would not find what it names, or is there."""
    if output.exists():
        raise UserError("the file exists already", file=str(output), hint="Choose another name.")
    if output.absolute().parent != find_recipe(recipe).absolute().parent:
        raise UserError(
            "the new recipe must lie beside the old one, whose paths begin at its folder",
            file=str(output),
            hint="For a shipped recipe, first: coupage recipe new mine.yaml",
        )


def _print(found: dict[str, Any], console: Console) -> None:
    table = Table("group", "yours", "best", "95 % of what is best")
    for group, own in found["own"].items():
        low, high = found["intervals"][group]
        share = found["weights"][group] if found["weights"] else own
        table.add_row(group, f"{own:.1%}", f"{share:.1%}", f"{low:.1%} to {high:.1%}")
    console.print(table)
    for number, candidate in enumerate(found["candidates"], 1):
        console.print(f"candidate {number}: {_in_words(candidate)}", soft_wrap=True)
    if found["weights"] is None:
        console.print("No significant difference from your weights.")
    cost = found["cost"]
    console.print(
        f"{cost['trainings']} trainings on {found['tokens']:,} tokens each: {cost['tokens']:,} tokens in "
        f"{cost['seconds']:,.0f} s of training.",
        soft_wrap=True,
    )


def _in_words(candidate: dict[str, Any]) -> str:
    shares = ", ".join(f"{group} {share:.1%}" for group, share in candidate["shares"].items() if share)
    said = [
        f"{kind} {_gain_in_words(candidate[kind])}" for kind in ("predicted", "measured") if candidate[kind]
    ]
    guards = "; breaks a guard" if candidate["keeps_guards"] is False else ""
    return f"{shares}: bits per byte of the targets {', '.join(said)}{guards}"


def _gain_in_words(gain: dict[str, Any]) -> str:
    low, high = gain["interval"]
    return f"{-gain['gain']:+.4f} ({-high:+.4f} to {-low:+.4f})"

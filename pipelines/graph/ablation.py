"""The arms of an ablation: a run with and without each of its sources, rules or edits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

from filters.edits.edits import NormalizeLines
from pipelines.errors import UserError
from pipelines.graph.build import build_graph
from pipelines.graph.inputs import Inputs
from pipelines.graph.trials import Arm, TrialMaker
from pipelines.recipe.curate import Curate, Edits, Rules
from pipelines.recipe.recipe import Recipe
from pipelines.stages.tokenize import Tokenize

Kind = Literal["sources", "rules", "edits"]
KINDS: tuple[Kind, ...] = get_args(Kind)
REFERENCE = "reference"
NULL = "null"
"""The reference once more with other seeds: what chance alone does."""
BY_ITSELF: dict[Kind, tuple[str, ...]] = {"sources": (), "rules": (), "edits": (NormalizeLines.name,)}
"""What is there though no recipe names it: tried only where it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What is compared: each arm with the reference."""

    kind: Kind
    add_one: bool
    """Whether an arm adds its item to a reference without any, or leaves it out of one with all."""
    reference: Arm
    null: Arm
    arms: dict[str, Arm]
    """By what each adds or leaves out."""


def ablation(
    maker: TrialMaker, kind: Kind, inputs: Inputs, only: Sequence[str] = (), add_one: bool = False
) -> Ablation:
    """The arms of an ablation.

    Args:
        maker: Of the trials.
        kind: What is added or left out.
        inputs: Where the stages of another recipe get their outside inputs from.
        only: The items that are tried; by default all that the recipe names.
        add_one: Each arm adds one item to a reference that has none of them.

    Raises:
        UserError: There are no such items, or nothing is left without them.
    """
    every = _items(maker, kind)
    known = [*every, *BY_ITSELF[kind]]
    for name in only:
        if name not in known:
            raise UserError(
                f"there is nothing called `{name}` among the {kind}", hint=f"There are: {', '.join(known)}."
            )
    items = list(only) or every
    if not items:
        raise UserError(f"the recipe has no {kind} to try")
    made = partial(_without, maker, kind, inputs)
    if add_one:
        reference = made(set(items))
        arms = {item: made(set(items) - {item}) for item in items}
    else:
        reference = made(set())
        arms = {item: made({item}) for item in items}
    named = {item: replace(arm, name=f"{kind}-{number}") for number, (item, arm) in enumerate(arms.items())}
    return Ablation(
        kind=kind,
        add_one=add_one,
        reference=replace(reference, name=f"{kind}-{REFERENCE}"),
        null=replace(reference, name=f"{kind}-{NULL}"),
        arms=named,
    )


def _items(maker: TrialMaker, kind: Kind) -> list[str]:
    """What can be left out, by names."""
    if kind == "sources":
        return [each.scope for each in maker.tokenized]
    curate = maker.graph.recipe.curate
    if kind == "rules":
        names = (name for entry in curate.rules for name in _names(entry))
    else:
        names = (name for entry in curate.edit for name in entry.use)
    return list(dict.fromkeys(names))


def _names(entry: Rules) -> list[str]:
    return [entry.datatrove] if entry.datatrove else [*entry.use, *entry.signals]


def _without(maker: TrialMaker, kind: Kind, inputs: Inputs, items: set[str]) -> Arm:
    """The run without some of its items."""
    if kind == "sources":
        return maker.arm(kind, tuple(each for each in maker.tokenized if each.scope not in items))
    if not items:
        return maker.arm(kind)
    recipe = maker.graph.recipe
    curate = recipe.curate
    changed = (
        curate.model_copy(update={"rules": list(_rules_without(curate, items))})
        if kind == "rules"
        else curate.model_copy(update={"edit": list(_edits_without(curate, items))})
    )
    return maker.arm(kind, _tokenized(maker, recipe.model_copy(update={"curate": changed}), inputs))


def _rules_without(curate: Curate, items: set[str]) -> Iterable[Rules]:
    for entry in curate.rules:
        if entry.datatrove:
            if entry.datatrove not in items:
                yield entry
            continue
        use = [name for name in entry.use if name not in items]
        signals = {name: limits for name, limits in entry.signals.items() if name not in items}
        thresholds = {
            name: value for name, value in entry.thresholds.items() if name.split(".")[0] not in items
        }
        words = entry.words if "bad_words" in use else {}
        if use or signals:
            yield entry.model_copy(
                update={"use": use, "signals": signals, "thresholds": thresholds, "words": words}
            )


def _edits_without(curate: Curate, items: set[str]) -> Iterable[Edits]:
    for entry in curate.edit:
        options = {name: value for name, value in entry.options.items() if name.split(".")[0] not in items}
        use = [name for name in entry.use if name not in items]
        yield entry.model_copy(update={"use": use, "options": options})
    if NormalizeLines.name in items:
        yield Edits(normalize_lines=False)


def _tokenized(maker: TrialMaker, recipe: Recipe, inputs: Inputs) -> tuple[Tokenize, ...]:
    """The documents that another recipe keeps, in the ids of this run; what is synthesised stays as it is."""
    other = build_graph(recipe, inputs)
    judged = {parts.scope: (parts, select) for parts, select in other.part_stages()}
    return tuple(
        replace(each, parts=judged[each.scope][0], select=judged[each.scope][1])
        if each.scope in recipe.sources
        else each
        for each in maker.tokenized
    )

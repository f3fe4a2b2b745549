"""The budget: relative weights and a token total become a whole-number quota for each group."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mixers.quantity import Quantity, Share

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Epochs = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Unit = Literal["tokens", "loss_tokens"]
Overflow = Literal["drop", "truncate_context"]


class MixtureError(ValueError):
    """The mixture that was asked for cannot be built from the documents there are."""


class EmptyGroupError(MixtureError):
    """A group with a weight has no documents."""

    def __init__(self, group: str, others: list[str]) -> None:
        self.group = group
        some = ", ".join(sorted(others)) or "none"
        super().__init__(f"Group {group!r} has a weight but no documents. Groups that have some: {some}.")


class Mixture(BaseModel):
    """What one training stage is made of: the recipe's ``mixtures.<stage>``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tokens: Annotated[Quantity, Field(gt=0)] = Field(
        description="Size of the stage in `unit`: 10B, 300M, 2000."
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict, description="Group to its relative weight in `unit`; they need not add up to 1."
    )
    sequence_length: int = Field(4096, ge=2, le=2**20, description="Most tokens in one row.")
    unit: Unit = Field(
        "tokens", description="What `tokens` and `weights` count: all tokens, or only those that bear loss."
    )
    max_epochs: Epochs = Field(4.0, description="Most times a group's documents may be repeated.")
    group_max_epochs: dict[str, Epochs] = Field(
        default_factory=dict, description="`max_epochs` of single groups, such as quality buckets."
    )
    on_shortage: Literal["fail", "repeat", "renormalize"] = Field(
        "fail",
        description="When a group cannot fill its share within its epochs: fail, repeat it further, or give "
        "what it lacks to the other groups by their weights.",
    )
    overflow: Overflow = Field(
        "drop",
        description="A conversation longer than a row is dropped, or loses the beginning of the text that "
        "stands before its first answer, but never its system prompt or a header.",
    )
    groups: dict[str, str] = Field(
        default_factory=dict,
        description="Group to a predicate over the corpus columns: \"domain = 'law' and language = 'ru'\". "
        "A group without one is the domain of that name.",
    )
    include: dict[str, Weight] = Field(
        default_factory=dict,
        description="Another stage to the weight at which all of its mix is added to this one.",
    )
    synthetic: dict[str, Share] = Field(
        default_factory=dict,
        description="Group to the share of it that is synthetic text: 30% makes two groups of it, NAME and "
        "NAME_synthetic; 100% says that it has no other. A group not named takes of both what it has.",
    )
    qa_about: str | None = Field(
        None, description="A stage: synthetic documents are kept only if that stage contains their parent."
    )

    @model_validator(mode="after")
    def _names_match(self) -> Self:
        if not self.weights and not self.include:
            raise ValueError("A mixture needs `weights`: a group and its relative weight.")
        strange = set(self.group_max_epochs) - set(self.weights)
        if strange and not self.include:
            raise ValueError(f"`group_max_epochs` names {sorted(strange)}, which `weights` does not.")
        if strange := set(self.synthetic) - set(self.weights):
            raise ValueError(f"`synthetic` names {sorted(strange)}, which `weights` does not.")
        return self

    @property
    def predicates(self) -> dict[str, str]:
        """For each group with a weight the SQL predicate of its documents."""
        by_domain = {group: domain_is(group) for group in self.weights}
        return by_domain | {group: self.groups[group] for group in self.weights if group in self.groups}

    def epochs_allowed(self, group: str) -> float:
        """How many times the documents of `group` may be used."""
        return self.group_max_epochs.get(group, self.max_epochs)


def domain_is(domain: str) -> str:
    """The predicate of the documents of a domain."""
    return "domain = '" + domain.replace("'", "''") + "'"


def source_is(source: str) -> str:
    """The predicate of the documents of a source."""
    return "source = '" + source.replace("'", "''") + "'"


SYNTHETIC = "_synthetic"
"""What is added to a group's name where its synthetic part is a group of its own."""


def part_synthetic(mixture: Mixture) -> Mixture:
    """Put two groups in the place of each whose share of synthetic text is given.

    What is made from another document has a `parent_id`. A group that has no other text keeps its name.
    """
    weights, groups = dict(mixture.weights), dict(mixture.groups)
    epochs = dict(mixture.group_max_epochs)
    for group, share in mixture.synthetic.items():
        weight, predicate = weights.pop(group), mixture.predicates[group]
        other = group if share == 1 else group + SYNTHETIC
        parts = (group, 1 - share, "is null"), (other, share, "is not null")
        for name, part, is_own in parts:
            if part > 0:
                weights[name] = weight * part
                groups[name] = f"({predicate}) and parent_id {is_own}"
                epochs |= {name: epochs[group]} if group in epochs else {}
    changes = {"weights": weights, "groups": groups, "group_max_epochs": epochs, "synthetic": {}}
    return mixture.model_copy(update=changes)


def include_mixtures(mixtures: Mapping[str, Mixture]) -> dict[str, Mixture]:
    """Put the mix of each included stage in its place: ``include: {stage1: 30}`` adds its shares, times 30.

    Predicates and epochs of the included groups come along, where the including mixture has none of its own.
    Groups whose share of synthetic text is given are parted (`part_synthetic`).

    Args:
        mixtures: stage to its mixture; one may include those before it.

    Returns:
        The same stages, with `include` empty.

    Raises:
        MixtureError: a mixture includes one that does not come before it.
    """
    done: dict[str, Mixture] = {}
    for stage, whole in mixtures.items():
        mixture = part_synthetic(whole)
        weights = dict(mixture.weights)
        groups, epochs = mixture.groups, mixture.group_max_epochs
        for name, weight in mixture.include.items():
            if name not in done:
                earlier = ", ".join(done) or "none"
                raise MixtureError(f"{stage} includes {name!r}; it can include those before it: {earlier}.")
            included = done[name]
            scale = weight / sum(included.weights.values())
            for group, part in included.weights.items():
                weights[group] = weights.get(group, 0.0) + scale * part
            groups = included.groups | groups
            epochs = included.group_max_epochs | epochs
        changes = {"weights": weights, "groups": groups, "group_max_epochs": epochs, "include": {}}
        done[stage] = mixture.model_copy(update=changes)
    return done


@dataclass(frozen=True)
class Supply:
    """What one pass over a group's documents can give."""

    documents: int
    tokens: int
    loss_tokens: int

    def amount(self, unit: Unit) -> int:
        """The supply counted in `unit`."""
        return self.tokens if unit == "tokens" else self.loss_tokens


NOTHING = Supply(documents=0, tokens=0, loss_tokens=0)


@dataclass(frozen=True)
class GroupBudget:
    """What one group is to contribute."""

    group: str
    asked: float
    """The weight as it was asked for."""
    share: Fraction
    """The weight divided by the sum of all weights."""
    quota: int
    """What the group is to give, in the mixture's unit. Differs from `share` only where supply ran short."""
    supply: Supply
    epochs: float
    """Passes over the supply that the quota needs."""
    max_epochs: float | None
    """Passes that are allowed; null where the mixture may repeat without limit."""


@dataclass(frozen=True)
class Constraint:
    """A limit that changed the mixture, and what it cost."""

    group: str
    wanted: int
    """The quota the group would have had without the limit."""
    given: int
    cost: str


@dataclass(frozen=True)
class Budget:
    """The quotas of one stage. They add up to `total` exactly."""

    total: int
    unit: Unit
    groups: tuple[GroupBudget, ...]
    constraints: tuple[Constraint, ...]

    @property
    def quotas(self) -> dict[str, int]:
        """Group to its quota."""
        return {entry.group: entry.quota for entry in self.groups}


def solve_budget(mixture: Mixture, supply: Mapping[str, Supply]) -> Budget:
    """Turn weights into quotas that add up to the total exactly and that the groups can give.

    Shares are rounded to whole tokens by largest remainder. With ``on_shortage: renormalize`` a group that
    cannot fill its share gives all it can, be it nothing, and what it lacks is shared among the others by
    their weights, until no group is asked for more than it has.

    Args:
        mixture: the mixture as asked for.
        supply: what one pass over each group gives; groups without a weight are ignored.

    Raises:
        EmptyGroupError: a group with a weight has no documents, under ``fail`` or ``repeat``.
        MixtureError: the share of a group is not even one token;
            under ``fail``, a group cannot fill its share within its epochs; under ``renormalize``,
            all groups together cannot fill the total.
    """
    unit = mixture.unit
    for fault in vanishing_groups(mixture).values():
        raise MixtureError(fault)
    weights = _weights(mixture)
    full = [group for group, offered in supply.items() if offered.amount(unit)]
    supply = {group: supply.get(group, NOTHING) for group in weights}
    for group in weights:
        if group not in full and mixture.on_shortage != "renormalize":
            raise EmptyGroupError(group, full)
    limit = {
        group: floor(supply[group].amount(unit) * Fraction(mixture.epochs_allowed(group)))
        for group in weights
    }
    wanted = _share_out(mixture.tokens, weights)
    short = [group for group in weights if wanted[group] > limit[group]]

    quota = wanted
    constraints: list[Constraint] = []
    if short and mixture.on_shortage == "fail":
        raise MixtureError(
            "\n".join(_shortage(mixture, group, wanted[group], supply[group]) for group in short)
        )
    if short and mixture.on_shortage == "renormalize":
        quota, constraints = _renormalize(mixture, weights, wanted, limit)
    elif short:
        constraints = [_repeated(mixture, group, wanted[group], supply[group]) for group in short]

    all_weights = sum(weights.values())
    groups = (
        GroupBudget(
            group=group,
            asked=mixture.weights[group],
            share=weights[group] / all_weights,
            quota=quota[group],
            supply=supply[group],
            epochs=quota[group] / max(1, supply[group].amount(unit)),
            max_epochs=None if mixture.on_shortage == "repeat" else mixture.epochs_allowed(group),
        )
        for group in weights
    )
    return Budget(mixture.tokens, unit, tuple(groups), tuple(constraints))


def asked_of_groups(mixture: Mixture) -> dict[str, int]:
    """What a mixture asks of each group, whatever the groups have."""
    return _share_out(mixture.tokens, _weights(mixture))


def vanishing_groups(mixture: Mixture) -> dict[str, str]:
    """The groups whose share rounds to nothing, and what to say of each.

    A weight asks for documents. Where it asks for none, the mixture is not what its writer meant.
    """
    weights = _weights(mixture)
    enough = f"{float(sum(weights.values()) / mixture.tokens):.3g}"
    return {
        group: f"The weight {mixture.weights[group]:g} of group {group!r} is too small beside the others: of "
        f"{mixture.tokens:,} {mixture.unit} its share rounds to none; one takes a weight of about {enough}"
        for group, asked in _share_out(mixture.tokens, weights).items()
        if not asked
    }


def _weights(mixture: Mixture) -> dict[str, Fraction]:
    return {group: Fraction(str(weight)) for group, weight in mixture.weights.items()}


def _share_out(total: int, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole numbers in proportion to `weights` that add up to `total`: the largest-remainder method."""
    all_weights = sum(weights.values())
    exact = {group: total * weight / all_weights for group, weight in weights.items()}
    whole = {group: floor(amount) for group, amount in exact.items()}
    by_remainder = sorted(exact, key=lambda group: (whole[group] - exact[group], group))
    for group in by_remainder[: total - sum(whole.values())]:
        whole[group] += 1
    return whole


def _renormalize(
    mixture: Mixture, weights: Mapping[str, Fraction], wanted: Mapping[str, int], limit: Mapping[str, int]
) -> tuple[dict[str, int], list[Constraint]]:
    """Cap every group at its limit and share what the capped ones lack among the rest."""
    if sum(limit.values()) < mixture.tokens:
        raise MixtureError(
            f"All groups together can give {sum(limit.values()):,} {mixture.unit} within their epochs, but "
            f"{mixture.tokens:,} are asked for. Lower `tokens`, raise `max_epochs`, or set `on_shortage` to "
            "`repeat`."
        )
    capped: dict[str, int] = {}
    while True:
        open_groups = {group: weight for group, weight in weights.items() if group not in capped}
        quota = capped | _share_out(mixture.tokens - sum(capped.values()), open_groups)
        over = [group for group in open_groups if quota[group] > limit[group]]
        if not over:
            break
        capped |= {group: limit[group] for group in over}
    ordered = {group: quota[group] for group in weights}
    return ordered, [_capped(mixture, group, wanted[group], limit[group]) for group in capped]


def _capped(mixture: Mixture, group: str, wanted: int, given: int) -> Constraint:
    gives = f"gives {given:,} of {wanted:,} {mixture.unit}, the most within {_epochs(mixture, group)}"
    cost = (
        f"{group} {gives if given else 'has no documents'}. "
        f"The other groups fill the {wanted - given:,} it lacks; its share is "
        f"{given / mixture.tokens:.2%} instead of {wanted / mixture.tokens:.2%}."
    )
    return Constraint(group, wanted, given, cost)


def _repeated(mixture: Mixture, group: str, wanted: int, supply: Supply) -> Constraint:
    cost = (
        f"{group} is repeated {wanted / supply.amount(mixture.unit):.1f} times, beyond its "
        f"{_epochs(mixture, group)}, to give {wanted:,} {mixture.unit}."
    )
    return Constraint(group, wanted, wanted, cost)


def _shortage(mixture: Mixture, group: str, wanted: int, supply: Supply) -> str:
    amount = supply.amount(mixture.unit)
    return (
        f"Group {group!r} should give {wanted:,} {mixture.unit} but has {amount:,} in {supply.documents:,} "
        f"documents, and may use them for {_epochs(mixture, group)}: it would need {wanted / amount:.1f}. "
        "Lower its weight (or the mixture's `tokens`), raise `max_epochs`, or set `on_shortage` to `repeat` "
        "or `renormalize`."
    )


def _epochs(mixture: Mixture, group: str) -> str:
    allowed = mixture.epochs_allowed(group)
    return f"{allowed:g} epoch{'s' if allowed != 1 else ''}"

"""The ledger: what was asked of each group, what was built, and whether the promises hold."""

from collections.abc import Iterator
from math import ceil, exp
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from mixers.budget import Unit
from mixers.order import largest_deviation

if TYPE_CHECKING:
    from mixers.plan import MixturePlan

REPETITION_CONSTANT = 15.387756
"""R*_D as fitted in appendix A of Muennighoff et al. 2023, "Scaling Data-Constrained Language Models"."""


class LedgerError(ValueError):
    """The rows that were planned break a promise. This is a fault of the planner, never of the input."""


def effective_unique_tokens(unique: float, tokens: float) -> float:
    """How many unique tokens would be worth as much as `tokens` tokens of which `unique` are distinct.

    D' = U + U R* (1 - e^(-R / R*)), where R = tokens / unique - 1 counts the repetitions after the first
    epoch (Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", section 3.1).
    """
    if not unique:
        return 0.0
    repetitions = tokens / unique - 1
    return unique + unique * REPETITION_CONSTANT * (1 - exp(-repetitions / REPETITION_CONSTANT))


class Quota(BaseModel):
    """What the mixture asked of one group, and how close the rows came. Amounts are in the mixture's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: float
    """The weight as written in the recipe."""
    asked_share: float
    """The weight divided by the sum of all weights."""
    quota: int
    """What the group was to give; differs from the asked share only where supply ran short."""
    built: int
    """What its rows give."""
    max_epochs: float | None
    """How often a document may be used; null where the recipe allows any repetition."""
    largest_prefix_deviation: float
    """The largest distance from the quota of a prefix of rows, over all prefixes."""


class GroupLedger(BaseModel):
    """What one group contributes to a stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    quota: Quota | None
    """Null where no mixture was asked for: held-out rows."""
    documents: int
    """Documents that were offered: used + unused + dropped."""
    documents_used: int
    documents_unused: int
    """Documents that the quota did not need."""
    documents_dropped: int
    """Atomic documents longer than a row."""
    documents_cut: int
    """Documents longer than a row, which were cut into full rows and a tail."""
    cuts: int
    """Places at which they were cut."""
    packs: int
    """Rows, repetitions included."""
    tokens: int
    """Tokens in these rows."""
    loss_tokens: int
    """Tokens of these that bear loss: not masked, and not the first of a document or of a piece of one."""
    unique_tokens: int
    """Tokens in the distinct rows."""
    epochs: float
    """tokens / unique_tokens."""
    most_repeated: int
    """How often the most repeated row occurs."""
    effective_unique_tokens: float
    """What the tokens are worth in unique tokens; see `effective_unique_tokens`."""
    fill: float
    """tokens / (packs * sequence_length)."""
    longest_uncut: int
    """Tokens of the longest document that was not cut."""
    shortest_cut: int | None
    """Tokens of the shortest document that was cut; null where none was."""


class Ledger(BaseModel):
    """The account of one stage. `check` raises if a promise does not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Unit
    sequence_length: int
    total: int | None
    """What was asked for, in `unit`; null where no mixture was asked for."""
    rows: int
    tokens: int
    longest_row: int
    constraints: tuple[str, ...]
    """The limits that changed the mixture, and what each cost."""
    groups: tuple[GroupLedger, ...]

    def check(self) -> Self:
        """Return the ledger if every promise holds.

        Raises:
            LedgerError: a promise does not hold; the message names each.
        """
        faults = (
            [f"A row holds {self.longest_row} tokens."] if self.longest_row > self.sequence_length else []
        )
        if sum(entry.packs for entry in self.groups) != self.rows:
            faults.append("The packs of all groups are not the rows of the stage.")
        if sum(entry.tokens for entry in self.groups) != self.tokens:
            faults.append("The tokens of all groups are not the tokens of the stage.")
        quotas = [entry.quota.quota for entry in self.groups if entry.quota]
        if self.total is not None and sum(quotas) != self.total:
            faults.append(f"The quotas add up to {sum(quotas)}, not to {self.total}.")
        for entry in self.groups:
            faults += [f"{entry.group}: {fault}" for fault in _faults(entry, self.sequence_length)]
        if faults:
            raise LedgerError("\n".join(faults))
        return self


def _faults(entry: GroupLedger, sequence_length: int) -> list[str]:
    """The promises of a group that do not hold."""
    faults = []
    if entry.documents != entry.documents_used + entry.documents_unused + entry.documents_dropped:
        faults.append("documents used, unused and dropped do not add up to the documents offered.")
    if entry.longest_uncut > sequence_length:
        faults.append(f"a document of {entry.longest_uncut} tokens is in one row.")
    if entry.shortest_cut is not None and entry.shortest_cut <= sequence_length:
        faults.append(f"a document of {entry.shortest_cut} tokens was cut though it fits.")
    if entry.quota:
        quota = entry.quota
        if quota.largest_prefix_deviation >= sequence_length:
            faults.append(f"a prefix of rows deviates by {quota.largest_prefix_deviation:.1f}.")
        if abs(quota.built - quota.quota) >= sequence_length:
            faults.append(f"{quota.built} were built for a quota of {quota.quota}.")
        if quota.max_epochs is not None and entry.most_repeated > ceil(quota.max_epochs):
            faults.append(
                f"a row is used {entry.most_repeated} times, with {quota.max_epochs:g} epochs allowed."
            )
    return faults


def measure(plan: "MixturePlan") -> Ledger:
    """Draw up the account of a plan from its rows."""
    row_tokens = plan.amount_of_row("tokens")
    return Ledger(
        unit=plan.unit,
        sequence_length=plan.sequence_length,
        total=plan.budget.total if plan.budget else None,
        rows=len(plan),
        tokens=int(row_tokens.sum()),
        longest_row=int(row_tokens.max(initial=0)),
        constraints=tuple(limit.cost for limit in plan.budget.constraints) if plan.budget else (),
        groups=tuple(_measure_groups(plan, row_tokens)),
    )


def _measure_groups(plan: "MixturePlan", row_tokens: NDArray[np.int64]) -> Iterator[GroupLedger]:
    documents, packs = plan.documents, plan.packs
    row_loss_tokens = plan.amount_of_row("loss_tokens")
    uses_of_pack = np.bincount(plan.pack_of_row, minlength=len(packs))
    tokens_of_pack = packs.per_pack(packs.tokens.astype(np.int64))
    is_used_piece = np.repeat(uses_of_pack > 0, np.diff(packs.offsets))
    is_used = np.zeros(len(documents.group), np.bool_)
    is_used[packs.document[is_used_piece]] = True
    quotas = _measure_quotas(plan) if plan.budget else {}

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many documents are chosen, by group; the first count is of those in none."""
        return np.bincount(documents.group[chosen] + 1, minlength=len(documents.groups) + 1)[1:]

    used, unused = count(is_used), count(~is_used & ~documents.dropped)
    dropped, offered = count(documents.dropped), count(np.ones(len(is_used), np.bool_))
    for group, name in enumerate(documents.groups):
        first_pack, end_pack = plan.pack_starts[group : group + 2]
        uses = uses_of_pack[first_pack:end_pack]
        rows = plan.group_of_row == group
        tokens = int(row_tokens[rows].sum())
        unique_tokens = int(tokens_of_pack[first_pack:end_pack][uses > 0].sum())

        pieces = slice(packs.offsets[first_pack], packs.offsets[end_pack])
        chosen = is_used_piece[pieces]
        document = packs.document[pieces][chosen]
        length = documents.tokens[document]
        is_part = packs.tokens[pieces][chosen] < length
        is_before_cut = packs.first_token[pieces][chosen] + packs.tokens[pieces][chosen] < length
        yield GroupLedger(
            group=name,
            quota=quotas.get(name),
            documents=int(offered[group]),
            documents_used=int(used[group]),
            documents_unused=int(unused[group]),
            documents_dropped=int(dropped[group]),
            documents_cut=len(np.unique(document[is_part])),
            cuts=int(is_before_cut.sum()),
            packs=int(rows.sum()),
            tokens=tokens,
            loss_tokens=int(row_loss_tokens[rows].sum()),
            unique_tokens=unique_tokens,
            epochs=tokens / max(unique_tokens, 1),
            most_repeated=int(uses.max(initial=0)),
            effective_unique_tokens=effective_unique_tokens(unique_tokens, tokens),
            fill=tokens / max(int(rows.sum()) * plan.sequence_length, 1),
            longest_uncut=int(length[~is_part].max(initial=0)),
            shortest_cut=int(length[is_part].min()) if is_part.any() else None,
        )


def _measure_quotas(plan: "MixturePlan") -> dict[str, Quota]:
    """How close the rows came to the quotas: after every prefix and at the end."""
    assert plan.budget
    amounts = plan.amount_of_row(plan.unit)
    entries = {entry.group: entry for entry in plan.budget.groups}
    shares = np.array([entries[name].quota / plan.budget.total for name in plan.documents.groups])
    deviations = largest_deviation(amounts, plan.group_of_row, shares)
    built = np.bincount(plan.group_of_row, weights=amounts, minlength=len(shares))
    return {
        name: Quota(
            asked=entries[name].asked,
            asked_share=float(entries[name].share),
            quota=entries[name].quota,
            built=int(built[group]),
            max_epochs=entries[name].max_epochs,
            largest_prefix_deviation=float(deviations[group]),
        )
        for group, name in enumerate(plan.documents.groups)
    }

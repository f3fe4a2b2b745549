"""The ledger: what was asked of each group, what was built, and whether the promises hold."""

from math import ceil
from typing import Self

from pydantic import BaseModel, ConfigDict

from mixers.budget import Unit


class LedgerError(ValueError):
    """The rows that were planned break a promise. This is a fault of the planner, never of the input."""


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
    """Indivisible documents longer than a row."""
    documents_shortened: int = 0
    """Indivisible documents longer than a row that are used without a part of their context; of held-out
    rows, long documents of which only the beginning is used."""
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
    """What the tokens are worth in unique tokens; see `mixers.measure.effective_unique_tokens`."""
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

    @property
    def loss_tokens(self) -> int:
        """Tokens of these rows that bear loss."""
        return sum(entry.loss_tokens for entry in self.groups)

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

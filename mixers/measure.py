"""Measuring a layout: the numbers of the ledger, from the rows and not from what they were planned to be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from mixers.arrays import chunks
from mixers.budget import Unit
from tokenizer_tools.compiled import compiled
from mixers.layout import CUT, UNUSED, Layout
from mixers.ledger import GroupLedger, Ledger, Quota
from mixers.order import follow_quotas

REPETITION_CONSTANT = 15.387756
"""R*_D as fitted in appendix A of Muennighoff et al. 2023, "Scaling Data-Constrained Language Models"."""


def effective_unique_tokens(unique: float, tokens: float) -> float:
    """How many unique tokens would be worth as much as `tokens` tokens of which `unique` are distinct.

    D' = U + U R* (1 - e^(-R / R*)), where R = tokens / unique - 1 counts the repetitions after the first
    epoch (Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", section 3.1).
    """
    if not unique:
        return 0.0
    repetitions = tokens / unique - 1
    return unique + unique * REPETITION_CONSTANT * (1 - exp(-repetitions / REPETITION_CONSTANT))


def measure(layout: Layout) -> Ledger:
    """Draw up the account of a layout from its rows."""
    rows = _Rows.count(layout)
    groups = tuple(_measure_groups(layout, rows))
    limits = layout.budget.constraints if layout.budget else ()
    return Ledger(
        unit=layout.unit,
        sequence_length=layout.sequence_length,
        total=layout.budget.total if layout.budget else None,
        rows=len(layout),
        tokens=int(rows.tokens.sum()),
        longest_row=rows.longest,
        constraints=(*(limit.cost for limit in limits), *_without_rows(groups, layout.unit)),
        groups=groups,
    )


def _without_rows(groups: Sequence[GroupLedger], unit: Unit) -> Iterator[str]:
    """What to say of groups that have a quota and gave nothing: rows are whole."""
    for entry in groups:
        if entry.quota and entry.quota.quota and not entry.packs:
            yield (
                f"{entry.group} is not in this stage: its quota of {entry.quota.quota:,} {unit} is too small "
                "for a row of its own. Raise its weight, or leave the group out."
            )


@dataclass(frozen=True)
class _Rows:
    """What the rows of each group give; shape (groups), each."""

    rows: NDArray[np.int64]
    tokens: NDArray[np.int64]
    loss_tokens: NDArray[np.int64]
    deviations: NDArray[np.float64]
    """The largest distance from the quota, of all prefixes; zeros where there are none."""
    longest: int
    """Tokens of the longest row of all."""

    @classmethod
    def count(cls, layout: Layout) -> "_Rows":
        quotas = layout.budget.quotas if layout.budget else {}
        shares = np.array([quotas.get(name, 0) for name in layout.documents.groups]) / max(
            sum(quotas.values()), 1
        )
        groups = len(shares)
        rows, tokens, loss_tokens, given = np.zeros((4, groups), np.int64)
        deviations = np.zeros(groups)
        longest = 0
        for chunk in chunks(len(layout)):
            group_of_row = layout.groups_between(chunk.start, chunk.stop)
            packs = layout.pack_of_row[chunk]
            amounts = {unit: amount[packs] for unit, amount in layout.amounts.items()}
            rows += np.bincount(group_of_row, minlength=groups)
            np.add.at(tokens, group_of_row, amounts["tokens"])
            np.add.at(loss_tokens, group_of_row, amounts["loss_tokens"])
            longest = max(longest, int(amounts["tokens"].max()))
            if layout.budget:
                follow_quotas(amounts[layout.unit], group_of_row, shares, given, deviations)
        return cls(rows, tokens, loss_tokens, deviations, longest)


def _measure_groups(layout: Layout, rows: _Rows) -> Iterator[GroupLedger]:
    documents, packs = layout.documents, layout.packs
    quotas = _quotas(layout, rows)
    counted = _count_documents(
        documents.group,
        documents.dropped,
        documents.gap if layout.shortened is None else layout.shortened,
        layout.use_of_document,
        len(documents.groups),
    )
    for group, name in enumerate(documents.groups):
        offered, used, cut, shortened, dropped, unused = counted[group].tolist()
        unique_tokens, most_repeated, cuts, longest_uncut, shortest_cut = _measure_packs(
            *packs.starts[group : group + 2],
            layout.uses_of_pack,
            layout.amounts["tokens"],
            packs.offsets,
            packs.document,
            packs.first_token,
            packs.tokens,
            documents.tokens,
        )
        tokens = int(rows.tokens[group])
        yield GroupLedger(
            group=name,
            quota=quotas.get(name),
            documents=offered,
            documents_used=used,
            documents_unused=unused,
            documents_dropped=dropped,
            documents_shortened=shortened,
            documents_cut=cut,
            cuts=cuts,
            packs=int(rows.rows[group]),
            tokens=tokens,
            loss_tokens=int(rows.loss_tokens[group]),
            unique_tokens=unique_tokens,
            epochs=tokens / max(unique_tokens, 1),
            most_repeated=most_repeated,
            effective_unique_tokens=effective_unique_tokens(unique_tokens, tokens),
            fill=tokens / max(int(rows.rows[group]) * layout.sequence_length, 1),
            longest_uncut=longest_uncut,
            shortest_cut=shortest_cut or None,
        )


def _quotas(layout: Layout, rows: _Rows) -> dict[str, Quota]:
    """How close the rows came to the quotas."""
    built = rows.tokens if layout.unit == "tokens" else rows.loss_tokens
    number = {name: group for group, name in enumerate(layout.documents.groups)}
    return {
        entry.group: Quota(
            asked=entry.asked,
            asked_share=float(entry.share),
            quota=entry.quota,
            built=int(built[number[entry.group]]),
            max_epochs=entry.max_epochs,
            largest_prefix_deviation=float(rows.deviations[number[entry.group]]),
        )
        for entry in (layout.budget.groups if layout.budget else ())
    }


@compiled
def _count_documents(group_of_document, dropped, shortened, use, groups):  # type: ignore[no-untyped-def]
    """Shape (groups, 6): documents offered, used, cut, shortened, dropped and unused."""
    counted = np.zeros((groups, 6), np.int64)
    for document in range(len(use)):
        if group_of_document[document] >= 0:
            counts = counted[group_of_document[document]]
            is_used = use[document] != UNUSED
            counts[0] += 1
            counts[1] += is_used
            counts[2] += use[document] == CUT
            counts[3] += is_used and shortened[document] > 0
            counts[4] += dropped[document]
            counts[5] += not is_used and not dropped[document]
    return counted


@compiled
def _measure_packs(first, stop, uses, amounts, offsets, document, first_token, piece_tokens, tokens):  # type: ignore[no-untyped-def]
    """Of the packs ``first:stop`` that are used.

    Their tokens, the uses of the most repeated one, the places at which documents are cut, and the tokens of
    the longest document that is whole and of the shortest that is not (0 where there is none).
    """
    unique_tokens = most_repeated = cuts = longest_uncut = shortest_cut = 0
    for pack in range(first, stop):
        if not uses[pack]:
            continue
        unique_tokens += amounts[pack]
        most_repeated = max(most_repeated, uses[pack])
        for piece in range(offsets[pack], offsets[pack + 1]):
            length = tokens[document[piece]]
            if piece_tokens[piece] == length:
                longest_uncut = max(longest_uncut, length)
            else:
                cuts += first_token[piece] + piece_tokens[piece] < length
                shortest_cut = min(shortest_cut, length) if shortest_cut else length
    return unique_tokens, most_repeated, cuts, longest_uncut, shortest_cut

"""Measuring a layout: the numbers of the ledger, from the rows and not from what they were planned to be."""

from collections.abc import Iterator
from math import exp

import numpy as np
from numpy.typing import NDArray

from mixers.layout import Layout
from mixers.ledger import GroupLedger, Ledger, Quota
from mixers.order import largest_deviation

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
    row_tokens = layout.amount_of_row("tokens")
    return Ledger(
        unit=layout.unit,
        sequence_length=layout.sequence_length,
        total=layout.budget.total if layout.budget else None,
        rows=len(layout),
        tokens=int(row_tokens.sum()),
        longest_row=int(row_tokens.max(initial=0)),
        constraints=tuple(limit.cost for limit in layout.budget.constraints) if layout.budget else (),
        groups=tuple(_measure_groups(layout, row_tokens)),
    )


def _measure_groups(layout: Layout, row_tokens: NDArray[np.int64]) -> Iterator[GroupLedger]:
    documents, packs = layout.documents, layout.packs
    row_loss_tokens = layout.amount_of_row("loss_tokens")
    uses_of_pack = np.bincount(layout.pack_of_row, minlength=len(packs))
    tokens_of_pack = packs.per_pack(packs.tokens.astype(np.int64))
    is_used_piece = np.repeat(uses_of_pack > 0, np.diff(packs.offsets))
    is_used = np.zeros(len(documents.group), np.bool_)
    is_used[packs.document[is_used_piece]] = True
    quotas = _measure_quotas(layout) if layout.budget else {}

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many documents are chosen, by group; the first count is of those in none."""
        return np.bincount(documents.group[chosen] + 1, minlength=len(documents.groups) + 1)[1:]

    used, unused = count(is_used), count(~is_used & ~documents.dropped)
    shortened = count(is_used & (documents.skipped > 0))
    dropped, offered = count(documents.dropped), count(np.ones(len(is_used), np.bool_))
    for group, name in enumerate(documents.groups):
        first_pack, end_pack = layout.pack_starts[group : group + 2]
        uses = uses_of_pack[first_pack:end_pack]
        rows = layout.group_of_row == group
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
            documents_shortened=int(shortened[group]),
            documents_cut=len(np.unique(document[is_part])),
            cuts=int(is_before_cut.sum()),
            packs=int(rows.sum()),
            tokens=tokens,
            loss_tokens=int(row_loss_tokens[rows].sum()),
            unique_tokens=unique_tokens,
            epochs=tokens / max(unique_tokens, 1),
            most_repeated=int(uses.max(initial=0)),
            effective_unique_tokens=effective_unique_tokens(unique_tokens, tokens),
            fill=tokens / max(int(rows.sum()) * layout.sequence_length, 1),
            longest_uncut=int(length[~is_part].max(initial=0)),
            shortest_cut=int(length[is_part].min()) if is_part.any() else None,
        )


def _measure_quotas(layout: Layout) -> dict[str, Quota]:
    """How close the rows came to the quotas: after every prefix and at the end."""
    assert layout.budget
    amounts = layout.amount_of_row(layout.unit)
    entries = {entry.group: entry for entry in layout.budget.groups}
    shares = np.array([entries[name].quota / layout.budget.total for name in layout.documents.groups])
    deviations = largest_deviation(amounts, layout.group_of_row, shares)
    built = np.bincount(layout.group_of_row, weights=amounts, minlength=len(shares))
    return {
        name: Quota(
            asked=entries[name].asked,
            asked_share=float(entries[name].share),
            quota=entries[name].quota,
            built=int(built[group]),
            max_epochs=entries[name].max_epochs,
            largest_prefix_deviation=float(deviations[group]),
        )
        for group, name in enumerate(layout.documents.groups)
    }

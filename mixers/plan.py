"""The plan of a stage: which documents go into which row, and in which order; lengths only.

documents ──> budget ──> packs of each group ──> order of rows ──> ledger
"""

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from mixers.budget import Mixture, solve_budget
from mixers.documents import Documents
from mixers.layout import Layout
from mixers.ledger import Ledger
from mixers.measure import measure
from mixers.order import quota_order, repeat_packs
from mixers.packing import join, pack


class MixturePlan(Layout):
    """The layout of a stage, with its account."""

    @cached_property
    def ledger(self) -> Ledger:
        """Measured from the rows."""
        return measure(self)


def plan_mixture(documents: pa.Table, mixture: Mixture, seed: int) -> MixturePlan:
    """Plan the rows of one stage.

    Args:
        documents: one row per document, with the columns

            - group: string or dictionary; documents of groups without a weight, or of none, are not used;
            - tokens: integer, at least 1, the end token included;
            - bytes: integer, size of the text in UTF-8;
            - atomic: bool, never cut (a chat, a question with its answer); what is longer than a row follows
              `mixture.overflow`;
            - context, needed for ``overflow: truncate_context``: integer, tokens before the first that bears
              loss. What is too long loses its first tokens, if one of the context at least is left;
            - loss_tokens, optional: integer, tokens that bear loss: ``sum(assistant_mask[1:])``. Without the
              column, and in documents longer than a row, all do but the first of the document or of its part.
        mixture: quotas, row length, epochs.
        seed: of all shuffles; at least 0.

    Raises:
        MixtureError: the documents cannot fill the mixture.
        ValueError: a column is missing or holds impossible lengths.
    """
    names = sorted(mixture.weights)
    read = Documents.read(documents, names, mixture.sequence_length, mixture.overflow)
    budget = solve_budget(mixture, read.supply())
    quotas = np.array([budget.quotas[name] for name in names], np.int64)

    packings = []
    for group, quota in enumerate(quotas):
        members = _shuffled(read, group, seed)
        enough = np.searchsorted(np.cumsum(read.amount(mixture.unit)[members]), quota) + 1
        chosen = members[:enough]  # and no more: rows of long documents would crowd out the others
        packings.append(pack(read.tokens[chosen], mixture.sequence_length).renamed(chosen))
    packs, starts = join(packings)
    amounts = packs.per_pack(read.amount_of_pieces(packs, mixture.unit))

    uses = [
        repeat_packs(
            amounts[starts[group] : starts[group + 1]], quota, _generator(seed, names[group], "order")
        )
        for group, quota in enumerate(quotas)
    ]
    used_pack = np.concatenate([start + pack for start, (pack, _) in zip(starts[:-1], uses, strict=True)])
    used_epoch = np.concatenate([epoch for _, epoch in uses])
    use_starts = np.cumsum([0] + [len(pack) for pack, _ in uses])
    order = quota_order(amounts[used_pack], use_starts, quotas)
    return MixturePlan(
        documents=read,
        packs=packs,
        pack_starts=starts,
        pack_of_row=used_pack[order],
        epoch_of_row=used_epoch[order],
        sequence_length=mixture.sequence_length,
        unit=mixture.unit,
        budget=budget,
    )


def plan_held_out(
    documents: pa.Table, sequence_length: int, max_tokens_per_group: int, seed: int
) -> MixturePlan:
    """Plan evaluation rows: the documents of each group, packed, group after group by name.

    Of a group with more than `max_tokens_per_group` tokens, documents are drawn at random up to that limit,
    but at least one.

    Args:
        documents: as for `plan_mixture`; every group is used.
        sequence_length: most tokens in a row.
        max_tokens_per_group: most tokens of a group.
        seed: of the draw; at least 0.
    """
    names = sorted(pc.unique(documents["group"].cast(pa.string())).drop_null().to_pylist())
    read = Documents.read(documents, names, sequence_length)
    packings = []
    for group in range(len(names)):
        members = _shuffled(read, group, seed)
        within = int(np.searchsorted(np.cumsum(read.tokens[members]), max_tokens_per_group, side="right"))
        chosen = members[: max(within, 1)]
        packings.append(pack(read.tokens[chosen], sequence_length).renamed(chosen))
    packs, starts = join(packings)
    return MixturePlan(
        documents=read,
        packs=packs,
        pack_starts=starts,
        pack_of_row=np.arange(len(packs)),
        epoch_of_row=np.zeros(len(packs), np.int32),
        sequence_length=sequence_length,
        unit="tokens",
        budget=None,
    )


def _shuffled(documents: Documents, group: int, seed: int) -> NDArray[np.int64]:
    """The documents of a group that can be packed, in random order."""
    return _generator(seed, documents.groups[group], "documents").permutation(documents.members(group))


def _generator(seed: int, group: str, purpose: str) -> np.random.Generator:
    """A generator of the group's own: its packs do not depend on what other groups there are."""
    return np.random.Generator(
        np.random.PCG64([seed, xxhash.xxh3_64_intdigest(f"{purpose} {group}".encode())])
    )

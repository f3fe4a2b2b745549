"""The plan of a stage: which documents go into which row, and in which order; lengths only.

documents ──> budget ──> packs of each group ──> order of rows ──> ledger
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from mixers.arrays import Allocate, chunks, count_below, index_type, take
from mixers.budget import Mixture, solve_budget
from mixers.documents import Documents
from mixers.layout import Layout
from mixers.ledger import Ledger
from mixers.measure import measure
from mixers.order import quota_order, repeat_packs
from mixers.packing import pack, pieces_of

VERSION = 2
"""To be raised when the same lengths give another plan: other documents, packs or order."""


class MixturePlan(Layout):
    """The layout of a stage, with its account."""

    @cached_property
    def ledger(self) -> Ledger:
        """Measured from the rows."""
        return measure(self)


def plan_mixture(
    documents: pa.Table, mixture: Mixture, seed: int, allocate: Allocate = np.empty
) -> MixturePlan:
    """Plan the rows of one stage.

    Args:
        documents: one row per document, with the columns

            - group: string or dictionary; documents of groups without a weight, or of none, are not used;
            - tokens: integer, at least 1, the end token included;
            - bytes: integer, size of the text in UTF-8;
            - indivisible: bool, never cut (a chat, a question with its answer); what is longer than a row
              follows `mixture.overflow`;
            - gap_start and gap, needed for ``overflow: truncate_context``: integers. What is indivisible and
              too long loses `gap` tokens after its first `gap_start`, none of which bears loss, if it fits
              into a row then;
            - loss_tokens, optional: integer, tokens that bear loss: ``sum(assistant_mask[1:])``. Without the
              column, and in documents longer than a row, all do but the first of the document or of its part.
        mixture: quotas, row length, epochs.
        seed: of all shuffles; at least 0.
        allocate: makes the arrays that are as long as the corpus.

    Raises:
        MixtureError: the documents cannot fill the mixture.
        ValueError: a column is missing or holds impossible lengths.
    """
    names = sorted(mixture.weights)
    read = Documents.read(documents, names, mixture.sequence_length, mixture.overflow, allocate)
    budget = solve_budget(mixture, read.supply())
    quotas = np.array([budget.quotas[name] for name in names], np.int64)

    chosen = []
    for members, quota in zip(_shuffled(read, seed, allocate), quotas, strict=True):
        enough = count_below(read.amount(mixture.unit), members, quota) + 1
        chosen.append(members[:enough])  # and no more: rows of long documents would crowd out the others
    packs = pack(chosen, read.tokens, mixture.sequence_length, allocate)
    amounts = read.amounts_of(packs, allocate)

    uses = [
        repeat_packs(
            range(*packs.starts[group : group + 2].tolist()),
            amounts[mixture.unit],
            int(quota),
            _generator(seed, names[group], "order"),
            allocate,
        )
        for group, quota in enumerate(quotas)
    ]
    pack_of_row, epoch_of_row = _order(uses, amounts[mixture.unit], packs.starts, quotas, allocate)
    return MixturePlan(
        documents=read,
        packs=packs,
        amounts=amounts,
        pack_of_row=pack_of_row,
        epoch_of_row=epoch_of_row,
        sequence_length=mixture.sequence_length,
        unit=mixture.unit,
        budget=budget,
        allocate=allocate,
    )


def _order(
    uses: Sequence[NDArray[Any]],
    amounts: NDArray[np.int32],
    pack_starts: NDArray[np.int64],
    quotas: NDArray[np.int64],
    allocate: Allocate,
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The pack and the epoch of each row, from the uses of packs of each group and what packs give."""
    starts = np.cumsum([0] + [len(packs) for packs in uses])
    pack_of_use = allocate(int(starts[-1]), index_type(len(amounts)))
    for start, packs in zip(starts[:-1], uses, strict=True):
        pack_of_use[start : start + len(packs)] = packs
    order = quota_order(take(amounts, pack_of_use, allocate), starts, quotas, allocate)
    epoch_of_row = allocate(len(order), np.int32)
    for chunk in chunks(len(order)):
        group = np.searchsorted(starts, order[chunk], side="right") - 1
        epoch_of_row[chunk] = (order[chunk] - starts[group]) // np.diff(pack_starts)[group]
    return take(pack_of_use, order, allocate), epoch_of_row


FEW_DOCUMENTS = 20
"""Fewer held-out documents say little of a group. A full group has at least so many."""


def most_of_a_document(max_tokens_per_group: int) -> int:
    """Tokens of a long document that are evaluated: one alone does not make a group."""
    return max(64, max_tokens_per_group // FEW_DOCUMENTS)


def plan_held_out(
    documents: pa.Table,
    sequence_length: int,
    max_tokens_per_group: int,
    seed: int,
    allocate: Allocate = np.empty,
    allowed: NDArray[np.bool_] | None = None,
) -> MixturePlan:
    """Plan evaluation rows: the documents of each group, packed, group after group by name.

    Of a group with more than `max_tokens_per_group` tokens, documents are drawn at random up to that limit,
    but at least one. Of a long document only the beginning is used, as much as `most_of_a_document` says,
    unless it is indivisible.

    Args:
        documents: as for `plan_mixture`; every group is used.
        sequence_length: most tokens in a row.
        max_tokens_per_group: most tokens of a group.
        seed: of the draw; at least 0.
        allocate: makes the arrays that are as long as the corpus.
        allowed: bool, shape (documents): which of those that are drawn are used; all where it is None.
    """
    names = sorted(pc.unique(documents["group"].cast(pa.string())).drop_null().to_pylist())
    read = Documents.read(documents, names, sequence_length, allocate=allocate)
    read, shortened = _beginnings(
        read, ~documents["indivisible"].to_numpy(), most_of_a_document(max_tokens_per_group), sequence_length
    )
    chosen = []
    for members in _shuffled(read, seed, allocate):
        within = count_below(read.tokens, members, max_tokens_per_group + 1)
        drawn = members[: max(within, 1)]
        chosen.append(drawn if allowed is None else drawn[allowed[drawn]])
    packs = pack(chosen, read.tokens, sequence_length, allocate)
    return MixturePlan(
        documents=read,
        packs=packs,
        amounts=read.amounts_of(packs, allocate),
        pack_of_row=np.arange(len(packs)),
        epoch_of_row=np.zeros(len(packs), np.int32),
        sequence_length=sequence_length,
        unit="tokens",
        budget=None,
        allocate=allocate,
        shortened=shortened,
    )


def _beginnings(
    read: Documents, divisible: NDArray[np.bool_], most: int, sequence_length: int
) -> tuple[Documents, NDArray[np.bool_]]:
    """The documents with only the first `most` tokens of those that are longer, and which ones they are."""
    long = divisible & (read.tokens > most)
    tokens = np.where(long, most, read.tokens).astype(np.int32)
    loss_tokens = np.where(long, most - pieces_of(tokens.astype(np.int64), sequence_length), read.loss_tokens)
    size = np.where(long, read.bytes * most // read.tokens, read.bytes)
    return replace(read, tokens=tokens, loss_tokens=loss_tokens.astype(np.int32), bytes=size), long


def _shuffled(documents: Documents, seed: int, allocate: Allocate) -> list[NDArray[Any]]:
    """For each group the documents that can be packed, in random order."""
    members = documents.members(allocate)
    for name, of_group in zip(documents.groups, members, strict=True):
        _generator(seed, name, "documents").shuffle(of_group)
    return members


def _generator(seed: int, group: str, purpose: str) -> np.random.Generator:
    """A generator of the group's own: its packs do not depend on what other groups there are."""
    return np.random.Generator(
        np.random.PCG64([seed, xxhash.xxh3_64_intdigest(f"{purpose} {group}".encode())])
    )

"""The plan of a stage: which documents go into which row, and in which order; lengths only.

documents ──> budget ──> packs of each group ──> order of rows ──> ledger
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from mixers.budget import Budget, Mixture, Unit, solve_budget
from mixers.documents import Documents
from mixers.ledger import Ledger, measure
from mixers.order import quota_order, repeat_packs
from mixers.packing import WINDOW, Packing, join, pack


@dataclass(frozen=True)
class MixturePlan:
    """The rows of a stage in training order: packs of whole documents and of pieces of long ones."""

    documents: Documents
    packs: Packing
    """The packs of all groups, group by group. Its pieces name documents by their row in the documents
    table."""
    pack_starts: NDArray[np.int64]
    """Shape (groups + 1): the packs of group g of ``documents.groups`` are ``pack_starts[g]:pack_starts[g +
    1]``."""
    pack_of_row: NDArray[np.int64]
    """Shape (rows): the pack that each row of the stage holds, in training order."""
    epoch_of_row: NDArray[np.int32]
    """Shape (rows): how many times its group's packs were all used before."""
    sequence_length: int
    unit: Unit
    budget: Budget | None
    """Null for held-out rows, which have no quota."""

    def __len__(self) -> int:
        return len(self.pack_of_row)

    @cached_property
    def group_of_row(self) -> NDArray[np.int32]:
        """Shape (rows): position in ``documents.groups``."""
        return (np.searchsorted(self.pack_starts, self.pack_of_row, side="right") - 1).astype(np.int32)

    def amount_of_row(self, unit: Unit) -> NDArray[np.int64]:
        """Shape (rows): what each row gives, in `unit`."""
        return self.packs.per_pack(self.documents.amount_of_pieces(self.packs, unit))[self.pack_of_row]

    @cached_property
    def rows(self) -> pa.Table:
        """One row per row of the stage: group (dictionary of string), tokens, loss_tokens, epoch (int32)."""
        names = pa.array(self.documents.groups, pa.string())
        return pa.table(
            {
                "group": pa.DictionaryArray.from_arrays(self.group_of_row, names),
                "tokens": self.amount_of_row("tokens").astype(np.int32),
                "loss_tokens": self.amount_of_row("loss_tokens").astype(np.int32),
                "epoch": self.epoch_of_row,
            }
        )

    @cached_property
    def segments(self) -> pa.Table:
        """The segments of all rows; see `segments_between`."""
        return self.segments_between(0, len(self))

    def segments_between(self, start: int, stop: int) -> pa.Table:
        """What the rows ``start:stop`` hold, in order: the text of one shard file.

        Columns: row (int64), position in the row (int32), document (int64, its row in the documents table),
        first_token (int64) and tokens (int32) of the document's part, epoch (int32), and bytes (int64): the
        part's share of the document's bytes, such that the parts of a document add up to all of them.
        """
        packs = self.pack_of_row[start:stop]
        pieces_of_row = self.packs.offsets[packs + 1] - self.packs.offsets[packs]
        row = np.repeat(np.arange(len(packs)), pieces_of_row)
        first_piece_of_row = np.cumsum(pieces_of_row) - pieces_of_row
        position = np.arange(len(row)) - first_piece_of_row[row]
        piece = self.packs.offsets[packs][row] + position

        document = self.packs.document[piece]
        first_token = self.packs.first_token[piece]
        tokens = self.packs.tokens[piece]
        size, length = self.documents.bytes[document], self.documents.tokens[document]
        bytes_before, bytes_until = size * first_token // length, size * (first_token + tokens) // length
        return pa.table(
            {
                "row": row + start,
                "position": position.astype(np.int32),
                "document": document,
                "first_token": first_token,
                "tokens": tokens,
                "epoch": self.epoch_of_row[start:stop][row],
                "bytes": bytes_until - bytes_before,
            }
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The account of this plan, measured from its rows."""
        return measure(self)


def plan_mixture(documents: pa.Table, mixture: Mixture, seed: int) -> MixturePlan:
    """Plan the rows of one stage.

    Args:
        documents: one row per document, with the columns

            - group: string or dictionary; documents of groups without a weight, or of none, are not used;
            - tokens: integer, at least 1, the end token included;
            - bytes: integer, size of the text in UTF-8;
            - atomic: bool, never cut (a chat, a question with its answer); dropped if longer than a row;
            - loss_tokens, optional: integer, tokens that bear loss: ``sum(assistant_mask[1:])``. Without the
              column, and in documents longer than a row, all do but the first of the document or of its part.
        mixture: quotas, row length, epochs.
        seed: of all shuffles; at least 0.

    Raises:
        MixtureError: the documents cannot fill the mixture.
        ValueError: a column is missing or holds impossible lengths.
    """
    names = sorted(mixture.weights)
    read = Documents.read(documents, names, mixture.sequence_length)
    budget = solve_budget(mixture, read.supply())
    quotas = np.array([budget.quotas[name] for name in names], np.int64)

    packings = []
    for group, quota in enumerate(quotas):
        members = _shuffled(read, group, seed)
        enough = np.searchsorted(np.cumsum(read.amount(mixture.unit)[members]), quota) + 1
        chosen = members[: enough + WINDOW]  # with a window to spare, no row has to be packed from scraps
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

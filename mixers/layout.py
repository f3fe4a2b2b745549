"""The layout of a stage: which part of which document lies in which row."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixers.budget import Budget, Unit
from mixers.documents import Documents
from mixers.packing import Packing


@dataclass(frozen=True)
class Layout:
    """The rows of a stage in training order: packs of whole documents and of pieces of long ones."""

    documents: Documents
    packs: Packing
    """The packs of all groups, group by group; pieces name documents by their row in the table."""
    pack_starts: NDArray[np.int64]
    """Shape (groups + 1): of group g of ``documents.groups``, packs ``pack_starts[g]:pack_starts[g + 1]``."""
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
        skipped = self.documents.skipped[document]
        first_token = skipped + self.packs.first_token[piece]
        tokens = self.packs.tokens[piece]
        size, length = self.documents.bytes[document], skipped + self.documents.tokens[document]
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

"""The layout of a stage: which part of which document lies in which row."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixers.arrays import Allocate
from mixers.budget import Budget, Unit
from tokenizer_tools.compiled import compiled
from mixers.documents import Documents
from mixers.packing import Packing

UNUSED, WHOLE, CUT = range(3)
"""How a document is used."""


@dataclass(frozen=True)
class Layout:
    """The rows of a stage in training order: packs of whole documents and of pieces of long ones."""

    documents: Documents
    packs: Packing
    """The packs of all groups; their pieces name documents by their row in the table."""
    amounts: dict[Unit, NDArray[np.int32]]
    """Shape (packs), each: what a pack gives."""
    pack_of_row: NDArray[Any]
    """Shape (rows): the pack that each row of the stage holds, in training order."""
    epoch_of_row: NDArray[np.int32]
    """Shape (rows): how many times its group's packs were all used before."""
    sequence_length: int
    unit: Unit
    budget: Budget | None
    """Null for held-out rows, which have no quota."""
    allocate: Allocate
    """Makes arrays as long as the corpus."""
    shortened: NDArray[np.bool_] | None = None
    """Shape (documents): of which only the beginning is used; None: of none."""

    def __len__(self) -> int:
        return len(self.pack_of_row)

    @cached_property
    def uses_of_pack(self) -> NDArray[np.int32]:
        """Shape (packs): in how many rows each occurs."""
        uses = self.allocate(len(self.packs), np.int32)
        _count_uses(self.pack_of_row, uses)
        return uses

    @cached_property
    def use_of_document(self) -> NDArray[np.uint8]:
        """Shape (documents): UNUSED, WHOLE or CUT."""
        use = self.allocate(len(self.documents), np.uint8)
        _mark_used(
            self.packs.offsets,
            self.packs.document,
            self.packs.tokens,
            self.uses_of_pack,
            self.documents.tokens,
            use,
        )
        return use

    def groups_between(self, start: int, stop: int) -> NDArray[np.int64]:
        """The positions in ``documents.groups`` of the rows ``start:stop``."""
        return np.searchsorted(self.packs.starts, self.pack_of_row[start:stop], side="right") - 1

    def rows_between(self, start: int, stop: int) -> pa.Table:
        """The rows ``start:stop``: group (dictionary of string), tokens, loss_tokens, epoch (int32)."""
        packs = self.pack_of_row[start:stop]
        names = pa.array(self.documents.groups, pa.string())
        groups = self.groups_between(start, stop).astype(np.int32)
        return pa.table(
            {
                "group": pa.DictionaryArray.from_arrays(groups, names),
                "tokens": self.amounts["tokens"][packs],
                "loss_tokens": self.amounts["loss_tokens"][packs],
                "epoch": self.epoch_of_row[start:stop],
            }
        )

    def segments_between(self, start: int, stop: int) -> pa.Table:
        """What the rows ``start:stop`` hold, in order: the text of one shard file.

        Columns: row (int64), position in the row (int32), document (int64, its row in the documents table),
        first_token (int64) and tokens (int32) of the document's part, epoch (int32), and bytes (int64): the
        part's share of the document's bytes, such that the parts of a document add up to all of them. What
        stands before and after the gap of a document are two parts, of one position.
        """
        packs = self.pack_of_row[start:stop]
        first_piece = self.packs.offsets[packs].astype(np.int64)
        pieces_of_row = self.packs.offsets[packs + 1] - first_piece
        row = np.repeat(np.arange(len(packs)), pieces_of_row)
        position = np.arange(len(row)) - (np.cumsum(pieces_of_row) - pieces_of_row)[row]
        piece = first_piece[row] + position
        document = self.packs.document[piece].astype(np.int64)
        of_piece, first_token, tokens = self._parts(piece, document)
        row, position, document = row[of_piece], position[of_piece], document[of_piece]
        size = self.documents.bytes[document]
        length = self.documents.gap[document] + self.documents.tokens[document]
        bytes_before, bytes_until = size * first_token // length, size * (first_token + tokens) // length
        return pa.table(
            {
                "row": row + start,
                "position": position.astype(np.int32),
                "document": document,
                "first_token": first_token,
                "tokens": tokens.astype(np.int32),
                "epoch": self.epoch_of_row[start:stop][row],
                "bytes": bytes_until - bytes_before,
            }
        )

    def _parts(
        self, piece: NDArray[np.int64], document: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64] | slice, NDArray[np.int64], NDArray[Any]]:
        """The parts of pieces: for each its piece, where in the document it starts, and its tokens."""
        first_token, tokens = self.packs.first_token[piece].astype(np.int64), self.packs.tokens[piece]
        gap = self.documents.gap[document]
        if not gap.any():
            return slice(None), first_token, tokens
        before = np.where(gap > 0, self.documents.gap_start[document], 0)
        of_piece = np.repeat(np.arange(len(piece)), 1 + (before > 0))
        is_second = np.diff(of_piece, prepend=-1) == 0
        before, gap = before[of_piece], gap[of_piece]
        is_first = (before > 0) & ~is_second
        return (
            of_piece,
            first_token[of_piece] + np.where(is_first, 0, before + gap),
            np.where(is_first, before, tokens[of_piece] - before),
        )

    @property
    def rows(self) -> pa.Table:
        """All rows; see `rows_between`."""
        return self.rows_between(0, len(self))

    @property
    def segments(self) -> pa.Table:
        """The segments of all rows; see `segments_between`."""
        return self.segments_between(0, len(self))


@compiled
def _count_uses(pack_of_row, uses):  # type: ignore[no-untyped-def]
    uses[:] = 0
    for pack in pack_of_row:
        uses[pack] += 1


@compiled
def _mark_used(offsets, document, piece_tokens, uses, tokens, use):  # type: ignore[no-untyped-def]
    use[:] = UNUSED
    for pack in range(len(uses)):
        if uses[pack]:
            for piece in range(offsets[pack], offsets[pack + 1]):
                is_whole = piece_tokens[piece] == tokens[document[piece]]
                use[document[piece]] = WHOLE if is_whole else CUT

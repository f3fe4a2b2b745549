"""The documents a mixture is planned from: their groups and lengths, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mixers.budget import Overflow, Supply, Unit
from mixers.packing import Packing, pieces_of


@dataclass(frozen=True)
class Documents:
    """Columns of the documents table; every array has shape (documents)."""

    groups: tuple[str, ...]
    group: NDArray[np.int32]
    """Position in `groups`; -1 where the document belongs to none of them."""
    tokens: NDArray[np.int64]
    """Those that are packed."""
    skipped: NDArray[np.int64]
    """Tokens before them that are left out: context for which the row has no room."""
    loss_tokens: NDArray[np.int64]
    """Tokens that bear loss, after the cuts that the document needs."""
    bytes: NDArray[np.int64]
    dropped: NDArray[np.bool_]
    """Atomic and longer than a row, with too little context to leave out."""

    @classmethod
    def read(
        cls, table: pa.Table, groups: Sequence[str], sequence_length: int, overflow: Overflow = "drop"
    ) -> Self:
        """Read the table that `mixers.plan.plan_mixture` describes.

        Raises:
            ValueError: a column is missing or has nulls, or a document has impossible lengths.
        """
        if missing := {"group", "tokens", "bytes", "atomic"} - set(table.column_names):
            raise ValueError(f"The documents lack the columns {sorted(missing)}.")
        if empty := [name for name in table.column_names if name != "group" and table[name].null_count]:
            raise ValueError(f"The documents' columns {empty} have nulls; only `group` may.")
        tokens = _integers(table, "tokens")
        if tokens.min(initial=1) < 1:
            document = tokens.argmin()
            raise ValueError(f"Document {document} has no tokens; it should have its end token at least.")
        too_long = table["atomic"].to_numpy() & (tokens > sequence_length)
        excess = np.where(too_long, tokens - sequence_length, 0)
        can_shrink = np.zeros(len(tokens), np.bool_)
        if overflow == "truncate_context":
            can_shrink = too_long & (excess < _integers(table, "context"))
        skipped = np.where(can_shrink, excess, 0)
        tokens = tokens - skipped
        loss_tokens = tokens - pieces_of(tokens, sequence_length)
        if "loss_tokens" in table.column_names:
            loss_tokens = np.where(tokens > sequence_length, loss_tokens, _integers(table, "loss_tokens"))
        if (impossible := (loss_tokens < 0) | (loss_tokens > tokens)).any():
            raise ValueError(
                f"Document {impossible.argmax()} has more loss tokens than tokens, or less than 0."
            )
        return cls(
            groups=tuple(groups),
            group=_positions(table["group"], groups),
            tokens=tokens,
            skipped=skipped,
            loss_tokens=loss_tokens,
            bytes=_integers(table, "bytes"),
            dropped=too_long & ~can_shrink,
        )

    def members(self, group: int) -> NDArray[np.int64]:
        """The documents of a group that can be packed."""
        return np.flatnonzero((self.group == group) & ~self.dropped)

    def amount(self, unit: Unit) -> NDArray[np.int64]:
        """What each document gives, in `unit`."""
        return self.tokens if unit == "tokens" else self.loss_tokens

    def amount_of_pieces(self, packs: Packing, unit: Unit) -> NDArray[np.int64]:
        """What each piece of a packing gives, in `unit`."""
        if unit == "tokens":
            return packs.tokens.astype(np.int64)
        whole = packs.tokens == self.tokens[packs.document]
        return np.where(whole, self.loss_tokens[packs.document], packs.tokens - 1)

    def supply(self) -> dict[str, Supply]:
        """What one pass over each group's documents can give."""
        members = {name: self.members(position) for position, name in enumerate(self.groups)}
        return {
            name: Supply(len(rows), int(self.tokens[rows].sum()), int(self.loss_tokens[rows].sum()))
            for name, rows in members.items()
        }


def _integers(table: pa.Table, column: str) -> NDArray[np.int64]:
    return table[column].cast(pa.int64()).to_numpy()  # type: ignore[no-any-return]


def _positions(column: pa.ChunkedArray, groups: Sequence[str]) -> NDArray[np.int32]:
    """For each value its position in `groups`, or -1."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    names = pa.array(groups, pa.string())
    parts = [np.zeros(0, np.int32)]
    for chunk in column.chunks:
        found = pc.index_in(chunk.dictionary.cast(pa.string()), value_set=names).fill_null(-1).to_numpy()
        position_of = np.append(found, -1).astype(np.int32)  # the last is for a null, whose index becomes -1
        parts.append(position_of[chunk.indices.fill_null(-1).to_numpy()])
    return np.concatenate(parts)

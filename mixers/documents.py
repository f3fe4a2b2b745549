"""The documents a mixture is planned from: their groups and lengths, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mixers.arrays import Allocate, chunks, index_type
from mixers.budget import Overflow, Supply, Unit
from tokenizer_tools.compiled import compiled
from mixers.packing import Packing, pieces_of

_COLUMNS = {
    "group": np.int32,
    "tokens": np.int32,
    "gap_start": np.int32,
    "gap": np.int32,
    "loss_tokens": np.int32,
    "bytes": np.int64,
    "dropped": np.bool_,
}


@dataclass(frozen=True)
class Documents:
    """Columns of the documents table; every array has shape (documents)."""

    groups: tuple[str, ...]
    group: NDArray[np.int32]
    """Position in `groups`; -1 where the document belongs to none of them."""
    tokens: NDArray[np.int32]
    """Those that are packed."""
    gap_start: NDArray[np.int32]
    """How many of them stand before the gap; only of use where there is one."""
    gap: NDArray[np.int32]
    """Tokens that are left out from there on: context for which the row has no room."""
    loss_tokens: NDArray[np.int32]
    """Tokens that bear loss, after the cuts that the document needs."""
    bytes: NDArray[np.int64]
    dropped: NDArray[np.bool_]
    """Indivisible and longer than a row, with too little to leave out."""

    @classmethod
    def read(
        cls,
        table: pa.Table,
        groups: Sequence[str],
        sequence_length: int,
        overflow: Overflow = "drop",
        allocate: Allocate = np.empty,
    ) -> Self:
        """Read the table that `mixers.plan.plan_mixture` describes.

        Raises:
            ValueError: a column is missing or has nulls, or a document has impossible lengths.
        """
        if missing := {"group", "tokens", "bytes", "indivisible"} - set(table.column_names):
            raise ValueError(f"The documents lack the columns {sorted(missing)}.")
        if empty := [name for name in table.column_names if name != "group" and table[name].null_count]:
            raise ValueError(f"The documents' columns {empty} have nulls; only `group` may.")
        columns = {name: allocate(table.num_rows, dtype) for name, dtype in _COLUMNS.items()}
        for chunk in chunks(table.num_rows):
            part = table.slice(chunk.start, chunk.stop - chunk.start)
            read = _read(part, chunk.start, groups, sequence_length, overflow)
            for name, values in read.items():
                columns[name][chunk] = values
        return cls(groups=tuple(groups), **columns)

    def __len__(self) -> int:
        return len(self.group)

    def members(self, allocate: Allocate) -> list[NDArray[Any]]:
        """For each group the documents that can be packed, ascending."""
        counts = _supply(self.group, self.dropped, self.tokens, self.loss_tokens, len(self.groups))[:, 0]
        ends = np.cumsum(counts)
        members = allocate(int(counts.sum()), index_type(len(self)))
        _sort_by_group(self.group, self.dropped, ends - counts, members)
        return [members[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def amount(self, unit: Unit) -> NDArray[np.int32]:
        """What each document gives, in `unit`."""
        return self.tokens if unit == "tokens" else self.loss_tokens

    def amounts_of(self, packs: Packing, allocate: Allocate) -> dict[Unit, NDArray[np.int32]]:
        """What each pack gives, in both units."""
        tokens, loss_tokens = allocate(len(packs), np.int32), allocate(len(packs), np.int32)
        _add_up(
            packs.offsets, packs.document, packs.tokens, self.tokens, self.loss_tokens, tokens, loss_tokens
        )
        return {"tokens": tokens, "loss_tokens": loss_tokens}

    def supply(self) -> dict[str, Supply]:
        """What one pass over each group's documents can give."""
        counted = _supply(self.group, self.dropped, self.tokens, self.loss_tokens, len(self.groups))
        return {name: Supply(*row) for name, row in zip(self.groups, counted.tolist(), strict=True)}


def _read(
    table: pa.Table, first: int, groups: Sequence[str], sequence_length: int, overflow: Overflow
) -> dict[str, NDArray[Any]]:
    """The `_COLUMNS` of some documents, of which the first has the number `first`."""
    tokens = _integers(table, "tokens")
    if (impossible := (tokens < 1) | (tokens >= 2**31)).any():
        document = impossible.argmax()
        hint = "it should have its end token at least" if tokens[document] < 1 else "divide it"
        raise ValueError(f"Document {first + document} has {tokens[document] or 'no'} tokens; {hint}.")
    too_long = table["indivisible"].to_numpy() & (tokens > sequence_length)
    gap_start = gap = np.zeros(len(tokens), np.int64)
    if overflow == "truncate_context":
        gap_start, offered = _integers(table, "gap_start"), _integers(table, "gap")
        gap = np.where(too_long & (offered >= tokens - sequence_length), offered, 0)
    tokens = tokens - gap
    loss_tokens = tokens - pieces_of(tokens, sequence_length)
    if "loss_tokens" in table.column_names:
        loss_tokens = np.where(tokens > sequence_length, loss_tokens, _integers(table, "loss_tokens"))
    if (impossible := (loss_tokens < 0) | (loss_tokens > tokens)).any():
        raise ValueError(
            f"Document {first + impossible.argmax()} has more loss tokens than tokens, or less than 0."
        )
    return {
        "group": _positions(table["group"], groups),
        "tokens": tokens,
        "gap_start": gap_start,
        "gap": gap,
        "loss_tokens": loss_tokens,
        "bytes": _integers(table, "bytes"),
        "dropped": too_long & (gap == 0),
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


@compiled
def _supply(group, dropped, tokens, loss_tokens, groups):  # type: ignore[no-untyped-def]
    """Shape (groups, 3): documents that can be packed, their tokens and their loss tokens."""
    counted = np.zeros((groups, 3), np.int64)
    for document in range(len(group)):
        if group[document] >= 0 and not dropped[document]:
            counted[group[document], 0] += 1
            counted[group[document], 1] += tokens[document]
            counted[group[document], 2] += loss_tokens[document]
    return counted


@compiled
def _sort_by_group(group, dropped, places, out):  # type: ignore[no-untyped-def]
    """Write the documents that can be packed to `out`, those of each group from its place on."""
    for document in range(len(group)):
        if group[document] >= 0 and not dropped[document]:
            out[places[group[document]]] = document
            places[group[document]] += 1


@compiled
def _add_up(offsets, document, piece_tokens, tokens, loss_tokens, pack_tokens, pack_loss_tokens):  # type: ignore[no-untyped-def]
    """For each pack its tokens and its loss tokens. A part of a document loses its first token."""
    for pack in range(len(offsets) - 1):
        pack_tokens[pack] = pack_loss_tokens[pack] = 0
        for piece in range(offsets[pack], offsets[pack + 1]):
            pack_tokens[pack] += piece_tokens[piece]
            if piece_tokens[piece] == tokens[document[piece]]:
                pack_loss_tokens[pack] += loss_tokens[document[piece]]
            else:
                pack_loss_tokens[pack] += piece_tokens[piece] - 1

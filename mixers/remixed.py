"""Shards made of rows of other shards: those of a stage, with a share of rows replayed from elsewhere.

Whole rows are taken, each of which is of one group, so nothing is planned or packed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixers.ledger import Ledger
from mixers.shards import Shards, shard_file_name, write_index, write_segments, write_shard_file

VERSION = 1
"""Raised when the same shards give other rows."""
MOST_REPEATS = 4
"""Up to so many passes repeated text is worth about as much as new text (Muennighoff et al. 2023)."""
ROWS_PER_FILE = 4096


@dataclass(frozen=True, kw_only=True)
class RowsOf:
    """Some rows of a folder of shards."""

    shards: Shards
    rows: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Remix:
    """Which rows come in which order."""

    sources: tuple[Shards, ...]
    """The stage first, then those of which rows are replayed."""
    source: NDArray[np.int64]
    """Shape (rows): the place in `sources`."""
    row: NDArray[np.int64]
    """Shape (rows): the row there."""
    repeat: NDArray[np.int32]
    """Shape (rows): how often the row was used before."""


def remix(own: RowsOf, replay: Sequence[RowsOf], share: float) -> Remix:
    """As many rows as a stage has, a share of them replayed, spread evenly; the rest its own, in their order.

    Of its own rows the last are left out; rows to replay are repeated where they are too few.

    Args:
        own: The shards of the stage, and its rows that are not to be replayed.
        replay: Rows to replay, those that are taken first in front. Longer ones than the stage's rows may be
            are left out.
        share: Of replayed rows, between 0 and 1.

    Raises:
        ValueError: There are too few rows of either kind, or ids of another tokenizer.
    """
    stage = own.shards
    for each in replay:
        if each.shards.tokenizer_hash != stage.tokenizer_hash:
            raise ValueError(f"{each.shards.folder} was made by another tokenizer than {stage.folder}")
    fitting = [each.rows[each.shards.row_lengths[each.rows] <= stage.sequence_length] for each in replay]
    available, count = sum(map(len, fitting)), round(share * len(stage))
    if not count:
        raise ValueError(f"{share:.3g} of {len(stage):,} rows is less than one row")
    if available * MOST_REPEATS < count:
        raise ValueError(
            f"there are {available:,} rows to replay for {count:,}; they are repeated {MOST_REPEATS} times at"
            " most"
        )
    if len(own.rows) <= len(stage) - count:
        raise ValueError(f"{1 - len(own.rows) / len(stage):.0%} of the stage's rows are such already")
    numbers = np.arange(len(stage) + 1) * count // len(stage)  # rows replayed before each
    replayed = np.diff(numbers) > 0
    taken = np.arange(count)
    source, row = np.zeros(len(stage), np.int64), np.zeros(len(stage), np.int64)
    repeat = np.zeros(len(stage), np.int32)
    row[~replayed] = own.rows[: len(stage) - count]
    row[replayed] = np.concatenate(fitting)[taken % available]
    source[replayed] = np.repeat(np.arange(1, len(replay) + 1), [len(rows) for rows in fitting])[
        taken % available
    ]
    repeat[replayed] = taken // available
    return Remix(sources=(stage, *(each.shards for each in replay)), source=source, row=row, repeat=repeat)


def write_remix(remixed: Remix, folder: Path) -> None:
    """Write these rows as a folder of shards, `ROWS_PER_FILE` of them in memory at a time.

    Its ledger has no groups, as no mixture was planned.

    Args:
        remixed: The rows.
        folder: Is there, and empty.
    """
    rows, stage = len(remixed.row), remixed.sources[0]
    dtype = np.result_type(*(shards.token_dtype for shards in remixed.sources))
    starts = range(0, rows, ROWS_PER_FILE)
    files = [
        write_shard_file(
            folder / shard_file_name(number, len(starts)),
            **_columns(remixed, slice(start, start + ROWS_PER_FILE), dtype),
        )
        for number, start in enumerate(starts)
    ]
    write_segments(folder, [_segments(remixed)])
    tokens = sum(file.tokens for file in files)
    write_index(
        folder,
        files,
        tokenizer_hash=stage.tokenizer_hash,
        begin_id=stage.begin_id,
        sequence_length=stage.sequence_length,
        seed=stage.index.seed,
        recipe_fingerprint=stage.index.recipe_fingerprint,
        ledger=Ledger(
            unit="tokens",
            sequence_length=stage.sequence_length,
            total=None,
            rows=rows,
            tokens=tokens,
            longest_row=_longest(remixed),
            constraints=(),
            groups=(),
        ),
    )


def _columns(remixed: Remix, part: slice, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What `write_shard_file` writes of a part of the rows."""
    packs = [
        remixed.sources[source][row]
        for source, row in zip(remixed.source[part].tolist(), remixed.row[part].tolist(), strict=True)
    ]
    return {
        "input_ids": np.concatenate([pack.input_ids for pack in packs]).astype(dtype),
        "row_offsets": _offsets([len(pack.input_ids) for pack in packs]),
        "seq_lengths": np.concatenate([pack.seq_lengths for pack in packs]),
        "seq_offsets": _offsets([len(pack.seq_lengths) for pack in packs]),
        "groups": [pack.group for pack in packs],
        "assistant_masks": np.concatenate([pack.masks_or_ones() for pack in packs]),
        "masked_rows": np.array([pack.assistant_masks is not None for pack in packs]),
    }


def _segments(remixed: Remix) -> pa.Table:
    """Which part of which document lies where; an epoch more for each time that a row is repeated."""
    tables = [shards.segments for shards in remixed.sources]
    first, count = np.zeros((2, len(remixed.row)), np.int64)
    before = 0
    for number, table in enumerate(tables):
        here = remixed.source == number
        in_row = table["row"].to_numpy()
        first[here] = before + np.searchsorted(in_row, remixed.row[here])
        count[here] = before + np.searchsorted(in_row, remixed.row[here], "right") - first[here]
        before += len(table)
    inside = np.arange(count.sum()) - np.repeat(_offsets(count)[:-1], count)
    taken = pa.concat_tables(tables).take(pa.array(np.repeat(first, count) + inside))
    epoch = taken["epoch"].to_numpy() + np.repeat(remixed.repeat, count)
    changed = {"row": np.repeat(np.arange(len(count)), count), "epoch": epoch.astype(np.int32)}
    for name, column in changed.items():
        taken = taken.set_column(taken.column_names.index(name), name, pa.array(column))
    return taken


def _longest(remixed: Remix) -> int:
    """Tokens of the longest row."""
    return max(
        int(shards.row_lengths[remixed.row[remixed.source == number]].max(initial=0))
        for number, shards in enumerate(remixed.sources)
    )


def _offsets(lengths: Any) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

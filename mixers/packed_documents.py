"""Shards of a few documents of one group, each whole in a row, that fit the shards of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixers.gather import gather_segments
from mixers.plan import plan_held_out
from mixers.shards import Shards, shard_file_name, write_index, write_segments, write_shard_file


def write_documents(
    folder: Path,
    ids: NDArray[np.integer[Any]],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    sizes: Sequence[int],
    *,
    group: str,
    stage: Shards,
) -> None:
    """Pack documents as tightly as they fit, and write them as a folder of shards of one file.

    Args:
        folder: Is there, and empty.
        ids: uint16 or int32, of all documents.
        starts: Shape (documents): where each begins in `ids`.
        lengths: Shape (documents): its tokens, at most those of a row of `stage`.
        sizes: Shape (documents): the bytes of its text.
        group: Of all rows.
        stage: Whose length of rows, tokenizer and seed they share.
    """
    count = len(lengths)
    documents = pa.table(
        {"group": [group] * count, "tokens": lengths, "bytes": sizes, "indivisible": np.ones(count, bool)}
    )
    plan = plan_held_out(documents, stage.sequence_length, int(lengths.sum()), stage.index.seed)
    segments = plan.segments
    chosen, tokens = segments["document"].to_numpy(), segments["tokens"].to_numpy()
    ends = np.concatenate([[0], np.cumsum(tokens, dtype=np.int64)])
    packed = np.empty(ends[-1], ids.dtype)
    gather_segments(ids, starts[chosen], tokens, packed, ends[:-1])
    in_row = np.searchsorted(segments["row"].to_numpy(), np.arange(len(plan) + 1))
    file = write_shard_file(
        folder / shard_file_name(0, 1),
        input_ids=packed,
        row_offsets=ends[in_row],
        seq_lengths=tokens.astype(np.int32),
        seq_offsets=in_row,
        groups=[group] * len(plan),
    )
    names = pa.array([f"{group}:{number}" for number in chosen.tolist()])
    write_segments(folder, [segments.append_column("doc_id", names)])
    write_index(
        folder,
        [file],
        tokenizer_hash=stage.tokenizer_hash,
        begin_id=stage.begin_id,
        sequence_length=stage.sequence_length,
        seed=stage.index.seed,
        recipe_fingerprint=stage.index.recipe_fingerprint,
        ledger=plan.ledger,
    )

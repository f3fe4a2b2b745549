"""A small finished folder of shards for the tests."""

import numpy as np
import pyarrow as pa
from corpora import corpus

from mixers.gather import gather_segments
from mixers.plan import plan_held_out
from mixers.shards import shard_file_name, write_index, write_segments, write_shard_file

SEQUENCE_LENGTH = 128


def write_folder(folder, dtype=np.uint16, files=3, masked_group="chat", order=None):
    """Pack a corpus of two groups, one of them masked, and write it; returns the rows."""
    documents = corpus({"chat": 60, "web": 40}, median=40, longest=900)
    lengths = documents["tokens"].to_numpy()
    starts = np.cumsum(lengths) - lengths
    ids = np.random.default_rng(5).integers(0, 60_000, lengths.sum()).astype(dtype)
    plan = plan_held_out(documents, SEQUENCE_LENGTH, 10**6, 0)
    bounds = np.linspace(0, len(plan), files + 1).astype(int)

    written, rows = {}, []
    for number in order or range(files):
        start, stop = bounds[number], bounds[number + 1]
        segments = plan.segments_between(start, stop)
        tokens = segments["tokens"].to_numpy()
        out_starts = np.cumsum(tokens) - tokens
        row_ids = np.empty(tokens.sum(), dtype)
        source = starts[segments["document"].to_numpy()] + segments["first_token"].to_numpy()
        gather_segments(ids, source, tokens, row_ids, out_starts)
        seq_offsets = np.searchsorted(segments["row"].to_numpy(), np.arange(start, stop + 1))
        groups = plan.rows["group"].to_pylist()[start:stop]
        row_offsets = np.append(0, np.cumsum(tokens))[seq_offsets]
        masks = (row_ids % 3 == 0).astype(np.uint8)
        masked_rows = np.array([group == masked_group for group in groups])
        written[number] = write_shard_file(
            folder / shard_file_name(number, files),
            input_ids=row_ids,
            row_offsets=row_offsets,
            seq_lengths=tokens,
            seq_offsets=seq_offsets,
            groups=groups,
            assistant_masks=masks,
            masked_rows=masked_rows,
        )
        for row, group in enumerate(groups):
            inside = slice(row_offsets[row], row_offsets[row + 1])
            lengths_of_row = tokens[seq_offsets[row] : seq_offsets[row + 1]]
            mask = masks[inside] if masked_rows[row] else None
            rows.append((number, row_ids[inside], lengths_of_row, group, mask))
    names = pa.array([f"doc{number}" for number in range(len(lengths))])
    segments = plan.segments
    write_segments(
        folder, [segments.append_column("doc_id", names.take(segments["document"].combine_chunks()))]
    )
    write_index(
        folder,
        [written[number] for number in range(files)],
        tokenizer_hash="abc",
        sequence_length=SEQUENCE_LENGTH,
        seed=0,
        recipe_fingerprint="def",
        ledger=plan.ledger,
    )
    return [row[1:] for row in sorted(rows, key=lambda row: row[0])]

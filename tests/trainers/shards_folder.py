"""Small shards folders for the tests, written through the public writer."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from mixers.ledger import Ledger
from mixers.shards import write_index, write_segments, write_shard_file

SEQUENCE_LENGTH = 64
VOCABULARY = 96


def documents(
    count: int, seed: int, vocabulary: int = VOCABULARY, longest: int = SEQUENCE_LENGTH
) -> list[np.ndarray]:
    """Documents that a model can learn: each token is one of two that follow the token before it."""
    chain = np.random.default_rng(7).integers(0, vocabulary, (vocabulary, 2))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        ids = [int(rng.integers(vocabulary))]
        for choice in rng.integers(0, 2, int(rng.integers(1, longest + 1)) - 1):
            ids.append(int(chain[ids[-1], choice]))
        found.append(np.array(ids, np.uint16))
    return found


def pack(found: list[np.ndarray], sequence_length: int = SEQUENCE_LENGTH) -> list[list[np.ndarray]]:
    """Next-fit packing."""
    rows: list[list[np.ndarray]] = [[]]
    for document in found:
        if sum(map(len, rows[-1])) + len(document) > sequence_length:
            rows.append([])
        rows[-1].append(document)
    return [row for row in rows if row]


def write_shards(
    folder: Path,
    rows: list[list[np.ndarray]],
    seed: int = 0,
    masked: bool = False,
    tokenizer: str = "none",
    begin_id: int | None = None,
) -> Path:
    """Rows alternate between groups `web` and `chat`; `masked`: chat rows train every other token."""
    folder.mkdir(parents=True)
    lengths = [len(document) for row in rows for document in row]
    tokens = [sum(map(len, row)) for row in rows]
    groups = ["chat" if number % 2 else "web" for number in range(len(rows))]
    flat = np.concatenate([document for row in rows for document in row])
    file = write_shard_file(
        folder / "data-00000-of-00001.arrow",
        input_ids=flat,
        row_offsets=np.concatenate([[0], np.cumsum(tokens)]),
        seq_lengths=np.array(lengths, np.int32),
        seq_offsets=np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
        groups=groups,
        assistant_masks=(np.arange(len(flat)) % 2).astype(np.uint8) if masked else None,
        masked_rows=np.array([group == "chat" for group in groups]) if masked else None,
    )
    positions = [(row, position) for row, found in enumerate(rows) for position in range(len(found))]
    segments = pa.table(
        {
            "row": pa.array([row for row, _ in positions], pa.int64()),
            "position": pa.array([position for _, position in positions], pa.int32()),
            "doc_id": [f"doc-{number}" for number in range(len(positions))],
            "first_token": pa.array([0] * len(positions), pa.int64()),
            "tokens": pa.array(lengths, pa.int32()),
            "epoch": pa.array([0] * len(positions), pa.int32()),
            "bytes": pa.array([3 * length + number % 5 for number, length in enumerate(lengths)], pa.int64()),
        }
    )
    write_segments(folder, [segments])
    write_index(
        folder,
        [file],
        tokenizer_hash=tokenizer,
        begin_id=begin_id,
        sequence_length=SEQUENCE_LENGTH,
        seed=seed,
        recipe_fingerprint=f"test-{seed}",
        ledger=Ledger(
            unit="tokens",
            sequence_length=SEQUENCE_LENGTH,
            total=None,
            rows=len(rows),
            tokens=len(flat),
            longest_row=max(tokens),
            constraints=(),
            groups=(),
        ),
    )
    return folder

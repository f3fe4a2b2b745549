"""Megatron-LM's indexed dataset: ``tokens.bin`` and ``tokens.idx``, version 1.

A Megatron *sequence* is a document, or the part of one that lies in a row; a Megatron *document* is a row.
Layout: ``megatron/core/datasets/indexed_dataset.py``, class ``_IndexWriter``.
"""

import struct
from pathlib import Path

import numpy as np

from mixers.files import finished_file
from mixers.shards import Shards

_HEADER = b"MMIDIDX\x00\x00"
_VERSION = 1
_DTYPE_CODE = {"int32": 4, "uint16": 8}


def write(shards: Shards, folder: Path) -> None:
    """Write ``tokens.bin``, then ``tokens.idx``.

    Raises:
        ValueError: rows have masks, which the format cannot hold.
    """
    lengths, row_ends = [np.zeros(0, np.int32)], [0]
    with finished_file(folder / "tokens.bin") as temporary, open(temporary, "wb") as file:
        for row, pack in enumerate(shards):
            if pack.assistant_masks is not None:
                raise ValueError(
                    f"Row {row} has an assistant mask, which Megatron's format cannot hold: training would "
                    "learn the prompts too. Export to datatrove, mosaic or jsonl."
                )
            pack.input_ids.tofile(file)
            lengths.append(pack.seq_lengths)
            row_ends.append(row_ends[-1] + len(pack.seq_lengths))
    sequence_lengths = np.concatenate(lengths)
    byte_lengths = sequence_lengths.astype(np.int64) * shards.token_dtype.itemsize
    with finished_file(folder / "tokens.idx") as temporary, open(temporary, "wb") as file:
        file.write(_HEADER)
        file.write(struct.pack("<QB", _VERSION, _DTYPE_CODE[shards.token_dtype.name]))
        file.write(struct.pack("<QQ", len(sequence_lengths), len(row_ends)))
        sequence_lengths.tofile(file)
        (np.cumsum(byte_lengths) - byte_lengths).tofile(file)
        np.array(row_ends, np.int64).tofile(file)

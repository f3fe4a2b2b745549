"""MosaicML streaming's MDS: ``shard.00000.mds`` ... and ``index.json``, one sample per row.

The columns are those of the shards; ``assistant_masks`` is there only if some row has a mask, and then all
ones where a row has none. Layout: ``streaming/base/format/mds/writer.py`` and ``encodings.py``.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixers.files import finished_file
from mixers.shards import Pack, Shards

SHARD_BYTES = 1 << 26
"""The size after which a new file begins. Offsets are of 32 bits."""


def write(shards: Shards, folder: Path) -> None:
    """Write all files; the index last."""
    masked = any(pack.assistant_masks is not None for pack in shards)
    columns = {
        **({"assistant_masks": "ndarray:uint8"} if masked else {}),
        "group": "str",
        "input_ids": f"ndarray:{shards.token_dtype.name}",
        "seq_lengths": "ndarray:int32",
    }
    config = {
        "column_encodings": list(columns.values()),
        "column_names": list(columns),
        "column_sizes": [None] * len(columns),
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": SHARD_BYTES,
        "version": 2,
    }
    infos: list[dict[str, Any]] = []
    samples: list[bytes] = []
    size = 0
    for pack in shards:
        samples.append(_sample(pack, masked))
        size += len(samples[-1])
        if size >= SHARD_BYTES:
            infos.append(_write_file(folder, len(infos), samples, config))
            samples, size = [], 0
    if samples:
        infos.append(_write_file(folder, len(infos), samples, config))
    with finished_file(folder / "index.json") as temporary:
        temporary.write_text(json.dumps({"shards": infos, "version": 2}, sort_keys=True))


def _sample(pack: Pack, masked: bool) -> bytes:
    """The sizes of all columns, then their values, the columns in order of their names."""
    values = [_array(pack.masks_or_ones())] if masked else []
    values += [pack.group.encode(), _array(pack.input_ids), _array(pack.seq_lengths)]
    sizes = np.array([len(value) for value in values], np.uint32)
    return sizes.tobytes() + b"".join(values)


def _array(values: NDArray[Any]) -> bytes:
    """A one-dimensional array: a byte for "one dimension, its size in 32 bits", that size, the values."""
    return bytes([1 << 2 | 2]) + np.uint32(len(values)).tobytes() + values.tobytes()


def _write_file(folder: Path, number: int, samples: list[bytes], config: dict[str, Any]) -> dict[str, Any]:
    """Write one file: the number of samples, where each begins, the configuration, the samples."""
    name = f"shard.{number:05d}.mds"
    header = json.dumps(config, sort_keys=True).encode()
    first = 4 + 4 * (len(samples) + 1) + len(header)
    offsets = np.cumsum([first] + [len(sample) for sample in samples]).astype(np.uint32)
    with finished_file(folder / name) as temporary:
        temporary.write_bytes(
            np.uint32(len(samples)).tobytes() + offsets.tobytes() + header + b"".join(samples)
        )
    raw_data = {"basename": name, "bytes": int(offsets[-1]), "hashes": {}}
    return {"raw_data": raw_data, "samples": len(samples), "zip_data": None, **config}

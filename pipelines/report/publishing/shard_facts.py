"""What the folders of shards hold, for the files beside the report that describe them to other tools."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mixers.shard_index import INDEX_FILE, SEGMENTS_FILE, read_index
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.stages.shards import DATASET, Shards

MOST_HASHED = 1 << 28
"""Bytes of a file that is hashed for a report: about a second. Others have a hash in `coupage.json`."""


def shard_facts(graph: Graph, done: Finished) -> dict[str, dict[str, Any]]:
    """What each finished folder of shards holds, by the name of its mixture.

    `files`, `rows`, `tokens` and `bytes` are of the data files, `dtype` is that of the ids.
    """
    return {name: _facts(stage, done.workdir) for name, stage in graph.shards.items() if stage in done}


def _facts(stage: Shards, workdir: Path) -> dict[str, Any]:
    folder, records = stage.dataset(workdir), stage.manifest(workdir).by_name
    index = read_index(folder)
    return {
        "files": len(index.files),
        "rows": index.rows,
        "tokens": index.tokens,
        "bytes": sum(records[f"{DATASET}/{file.name}"].bytes for file in index.files),
        "dtype": index.files[0].dtype if index.files else "int32",
        "sequence_length": index.sequence_length,
        "segments": {
            "rows": pq.read_metadata(folder / SEGMENTS_FILE).num_rows,
            **_file(folder, SEGMENTS_FILE),
        },
        "index": _file(folder, INDEX_FILE),
    }


def _file(folder: Path, name: str) -> dict[str, Any]:
    """The size of a file, and its SHA-256 where that takes no time."""
    path = folder / name
    size = path.stat().st_size
    if size > MOST_HASHED:
        return {"bytes": size, "sha256": None}
    with path.open("rb") as file:
        return {"bytes": size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

"""The formats that shards can be exported to."""

from collections.abc import Callable
from pathlib import Path

from mixers.export import datatrove, jsonl, megatron, mosaic
from mixers.shards import Shards

FORMATS: dict[str, Callable[[Shards, Path], None]] = {
    "megatron": megatron.write,
    "datatrove": datatrove.write,
    "mosaic": mosaic.write,
    "jsonl": jsonl.write,
}


def export_shards(shards: Shards, folder: Path, format: str) -> None:
    """Write all rows, in training order, to a new folder.

    Args:
        shards: what to export.
        folder: is made; it must not exist, or be empty.
        format: a key of `FORMATS`.

    Raises:
        ValueError: there is no such format, the folder is not empty, or the format cannot hold these shards.
    """
    if format not in FORMATS:
        raise ValueError(f"There is no format {format!r}; choose one of {', '.join(FORMATS)}.")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    FORMATS[format](shards, folder)

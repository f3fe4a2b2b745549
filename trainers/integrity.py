"""Whether what training reads is what was written: the files of shards, and those of a checkpoint."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mixers.files import FileState, hash_file, write_bytes
from mixers.shard_index import ShardError
from trainers.errors import ResumeError

if TYPE_CHECKING:
    from mixers.shards import Shards

RIGHT_SHARDS = "right_shards.json"
"""In the output folder: the state of each file of shards that was found right, and is not hashed again."""
HASHES = "hashes.json"
"""In a checkpoint: the hash of each of its files."""


def require_right_shards(shards: "Shards", output: Path) -> None:
    """Compare the files of shards with the hashes in their index.

    Those that an earlier run into `output` found right are not read again while size, times and inode stay.

    Raises:
        ValueError: A file is missing or has changed; the message names each.
    """
    path = output / RIGHT_SHARDS
    known = _read(path)
    files = [file for file in sorted(shards.folder.iterdir()) if file.is_file()]
    states = {str(file.resolve()): list(FileState.of(file)) for file in files}
    if all(known.get(name) == state for name, state in states.items()):
        return
    try:
        shards.verify()
    except ShardError as error:
        raise ValueError(f"The shards are not what was written. {error}") from error
    write_bytes(path, json.dumps(known | states, indent=1).encode())


def write_hashes(checkpoint: Path) -> None:
    """Record the hash of each file of a checkpoint that is about to be published."""
    hashes = {path.relative_to(checkpoint).as_posix(): hash_file(path) for path in _files(checkpoint)}
    (checkpoint / HASHES).write_text(json.dumps(hashes, indent=1))


def damaged_files(checkpoint: Path) -> list[Path]:
    """The files of a checkpoint that are missing or have changed."""
    hashes = _read(checkpoint / HASHES)
    files = {path.relative_to(checkpoint).as_posix(): path for path in _files(checkpoint)}
    if not hashes:
        return [checkpoint / HASHES]
    damaged = [name for name, value in hashes.items() if name not in files or hash_file(files[name]) != value]
    return [checkpoint / name for name in damaged]


def require_whole_checkpoint(checkpoint: Path) -> None:
    """Raise ResumeError for a checkpoint with damaged files; says which."""
    if damaged := damaged_files(checkpoint):
        raise ResumeError(
            f"{damaged[0]} is not what was written. Remove {checkpoint}: training goes on from the checkpoint"
            " before it, or from the start."
        )


def _files(checkpoint: Path) -> list[Path]:
    return [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name != HASHES]


def _read(path: Path) -> dict[str, object]:
    """The JSON object in a file; empty where there is none, or one that a power cut tore."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

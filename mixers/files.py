"""Files that are complete whenever they have their final name, and the hash that names their bytes."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xxhash

TEMPORARY = ".writing-"
"""Prefix of a file that is being written; one that a killed writer left behind may be removed."""


@contextmanager
def finished_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; the file takes its own name once all of it is on disk.

    When the block fails, nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{platform.node()}-{os.getpid()}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`: all of it or nothing."""
    with finished_file(path) as temporary:
        temporary.write_bytes(data)


def remove_unfinished(folder: Path) -> None:
    """Remove the files below `folder` that a killed writer left unfinished."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def hash_file(path: str | os.PathLike[str]) -> str:
    """xxh3_128 of a file's bytes, 32 hexadecimal digits."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

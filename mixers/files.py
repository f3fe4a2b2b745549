"""Files that are complete whenever they have their final name, and the hash that names their bytes."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

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
    """Remove what a killed writer left unfinished below `folder`."""
    for path in list(folder.rglob(f"{TEMPORARY}*")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def hash_file(path: str | os.PathLike[str]) -> str:
    """xxh3_128 of a file's bytes, 32 hexadecimal digits."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class FileState(NamedTuple):
    """What the file system says of a file without reading it; every change of the content changes it."""

    bytes: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "FileState":
        """The state now. Raises OSError where there is no such file."""
        found = os.stat(path)
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def known_hash(path: str | os.PathLike[str]) -> str:
    """`hash_file`, of a file that stays as it is computed once a process."""
    return _hash_in_state(os.path.abspath(path), FileState.of(path))


@lru_cache(maxsize=1 << 16)
def _hash_in_state(path: str, state: FileState) -> str:
    return hash_file(path)

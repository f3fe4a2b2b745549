"""Local copies of what lies elsewhere and must be a file or a folder here: tokenizers, models, shards.

A copy appears whole, under a name that says what it is a copy of, and goes when it was not used longest and
others need its room. A process that uses one holds its lock, so that nobody removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import xxhash

from mixers.files import TEMPORARY
from pipelines.errors import UserError, WorkError
from pipelines.sources.remote.cache import SIZE_VARIABLE, cache_folder, cache_size
from pipelines.sources.remote.file import open_remote
from pipelines.sources.remote.places import find_remote, split_url
from pipelines.sources.remote.secrets import masked

COPIES = "copies"
LOCK = ".lock"
AT_ONCE = 8
BLOCK = 1 << 20

_in_use: dict[Path, IO[str]] = {}
"""The copies that this process uses, and their locks."""


def local_copy(url: str) -> Path:
    """A file, or a folder with all below it, as it lies there now.

    Raises:
        UserError: Nothing is there, or it has no room in the cache.
        WorkError: It cannot be fetched.
    """
    files = {file.path: file for file in find_remote(url)}
    if not files:
        raise UserError(f"{masked(url)}: there is no such file or folder", hint="Check the address.")
    names = split_url(url)[1]
    states = sorted((path, file.size, file.version) for path, file in files.items())
    below = names[0] if set(files) == {names[0]} else ""
    fetches = {path: partial(_fetch, file.url, file.version) for path, file in files.items()}
    sizes = {path: file.size for path, file in files.items()}
    return copied(f"{url} {states}", sizes, fetches) / below


def copied(what: str, sizes: Mapping[str, int], fetches: Mapping[str, Callable[[Path], None]]) -> Path:
    """The folder of a copy of `what`, made unless it is there.

    Args:
        what: Names the content.
        sizes: Bytes of each file, by its path in the copy.
        fetches: What writes each file, and raises where it is not what it should be.

    Raises:
        UserError: It has no room in the cache.
        WorkError: It cannot be fetched or written.
    """
    folder = cache_folder() / COPIES / xxhash.xxh3_128_hexdigest(what.encode())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder not in _in_use:
            _in_use[folder] = _hold(folder, sum(sizes.values()), fetches)
        os.utime(folder)
    except OSError as error:
        hint = "Free some room there, or set COUPAGE_CACHE to a folder that can be written."
        raise WorkError(f"the copy cannot be made: {error}", file=str(folder), hint=hint) from error
    return folder


def _write(folder: Path, fetches: Mapping[str, Callable[[Path], None]]) -> None:
    temporary = folder.with_name(f"{TEMPORARY}{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed: the lock is ours
    for path in fetches:
        _inside(temporary, path).parent.mkdir(parents=True, exist_ok=True)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(lambda path: fetches[path](_inside(temporary, path)), fetches):
                pass
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _inside(folder: Path, path: str) -> Path:
    """Where a file of a copy lies. Raises WorkError for a name that leads out of it."""
    if path.startswith("/") or ".." in path.split("/"):
        raise WorkError("the name of a file leads out of its folder", file=path, hint="Nothing was written.")
    return folder / path


def _fetch(url: str, version: str, path: Path) -> None:
    with open_remote(url, version) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, BLOCK)


def _hold(folder: Path, size: int, fetches: Mapping[str, Callable[[Path], None]]) -> IO[str]:
    """The lock of a copy that is whole, shared with others that use it; one process makes it."""
    lock = _lock(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not folder.is_dir():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _make_room(folder.parent, size)
                _write(folder, fetches)
            fcntl.flock(lock, fcntl.LOCK_SH)
    except BaseException:
        lock.close()
        raise
    return lock


def _lock(folder: Path) -> IO[str]:
    return folder.with_name(f"{folder.name}{LOCK}").open("a")


def _make_room(copies: Path, coming: int) -> None:
    """Remove the copies that were not used longest, where nobody holds them. Raises UserError."""
    size = cache_size()
    if coming > size:
        raise UserError(
            f"a copy takes {coming:,} bytes, and the cache may have {size:,}",
            file=str(copies),
            hint=f"Set {SIZE_VARIABLE} to more, e.g. {coming // 10**9 + 1}GB.",
        )
    folders = [path for path in copies.iterdir() if path.is_dir() and not path.name.startswith(TEMPORARY)]
    sizes = {path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in folders}
    taken = sum(sizes.values())
    for path in sorted(folders, key=lambda path: path.stat().st_mtime_ns):
        if taken + coming <= size:
            return
        if _removed(path):
            taken -= sizes[path]


def _removed(path: Path) -> bool:
    """Remove a copy that nobody holds."""
    with path.with_name(f"{path.name}{LOCK}").open("a") as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
        return True
    return False

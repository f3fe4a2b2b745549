"""A bounded store on this machine's disk of what was fetched from elsewhere and will be asked for again.

Several processes may use one folder. What is stored appears under its name when it is whole, is checked when
it is read, and goes when it was not asked for longest. What cannot be stored is fetched again, and no error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xxhash

from mixers.files import TEMPORARY, finished_file
from pipelines.errors import UserError

FOLDER_VARIABLE = "COUPAGE_CACHE"
SIZE_VARIABLE = "COUPAGE_CACHE_SIZE"
DEFAULT_SIZE = "20GB"
CHECK_BYTES = 16
"""Of the hash that stands before each blob."""
LOOK_AGAIN = 16
"""Each process looks at the folder again when it has stored this part of the bound."""
LEFT_OVER_SECONDS = 3600
"""A temporary file this old was left behind by a process that was killed."""
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

Blob = bytes


def cache_folder() -> Path:
    """Where caches lie: `COUPAGE_CACHE`, else `coupage` in the user's folder of caches."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "coupage"


def cache_size() -> int:
    """Bytes that each cache may take: `COUPAGE_CACHE_SIZE`, by default 20GB. Raises UserError."""
    text = os.environ.get(SIZE_VARIABLE, DEFAULT_SIZE)
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UserError(f"{SIZE_VARIABLE} is {text!r}, which is no size", hint="Write it as 20GB or 500MB.")
    return round(float(match[1]) * _UNITS[match[2].lower()])


@dataclass
class BlobCache:
    """Blobs by their keys, of about `bytes` bytes at most; others may use the folder at the same time."""

    folder: Path
    bytes: int
    _stored: int | None = field(default=None, init=False, repr=False)
    """Bytes that this process stored since it last looked at the folder; None before it did."""

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_stored": None}

    def get(self, key: str) -> Blob | None:
        """The blob of a key; None where it is not there, or not what was stored."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        check, blob = content[:CHECK_BYTES], content[CHECK_BYTES:]
        return blob if xxhash.xxh3_128_digest(blob) == check else None

    def put(self, key: str, blob: Blob) -> None:
        """Store a blob, over the one that the key had; one larger than the bound is not stored."""
        if len(blob) + CHECK_BYTES > self.bytes:
            return
        with suppress(OSError), finished_file(self._path(key)) as temporary:
            temporary.write_bytes(xxhash.xxh3_128_digest(blob) + blob)
            self._make_room(len(blob) + CHECK_BYTES)

    def _path(self, key: str) -> Path:
        name = xxhash.xxh3_128_hexdigest(key.encode())
        return self.folder / name[:2] / name[2:]

    def _make_room(self, coming: int) -> None:
        """Remove what was not asked for longest, if what is stored and what is `coming` exceed the bound."""
        if self._stored is not None and self._stored + coming < self.bytes // LOOK_AGAIN:
            self._stored += coming
            return
        files = sorted(self._files(), key=lambda file: file[1].st_mtime_ns)
        room = self.bytes - self.bytes // LOOK_AGAIN - coming
        taken = sum(state.st_size for _, state in files)
        for path, state in files:
            if taken <= room:
                break
            with suppress(OSError):
                path.unlink()
            taken -= state.st_size
        self._stored = coming

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """The blobs that are stored. Removes what killed processes left."""
        for folder in self.folder.iterdir():
            for path in folder.iterdir() if folder.is_dir() else ():
                with suppress(OSError):
                    state = path.stat()
                    if not path.name.startswith(TEMPORARY):
                        yield path, state
                    elif state.st_mtime < _long_ago(self.folder):
                        path.unlink()


def _long_ago(folder: Path) -> float:
    """By the clock of the file system, which need not be this machine's."""
    marker = folder / ".clock"
    marker.touch()
    return marker.stat().st_mtime - LEFT_OVER_SECONDS

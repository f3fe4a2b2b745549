"""Files of lines that only grow: a line that a killed writer left without its end harms no other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self


class GrowingFile:
    """A file to which lines are added, each in one write.

    It is opened by the first line, or when it is entered as a context manager. One process at a time may add
    to it. Opening, adding and closing raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._torn = False
        """Whether it may end without the end of a line."""

    def __enter__(self) -> Self:
        self._opened()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, line: bytes) -> int:
        """Add a line that ends with a line feed, and give where it begins."""
        descriptor = self._opened()
        left = b"\n" + line if self._torn else line
        self._torn = True
        while left:  # once, unless the disk is full
            left = left[os.write(descriptor, left) :]
        self._torn = False
        return os.lseek(descriptor, 0, os.SEEK_CUR) - len(line)

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor, self._torn = _open(self._path)
        return self._descriptor

    def close(self) -> None:
        """Close it; what was added is on the disk then."""
        if self._descriptor is None:
            return
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
            self._descriptor = None


def _open(path: Path) -> tuple[int, bool]:
    """A file to be added to, and whether a killed writer left its last line without an end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    size = os.fstat(descriptor).st_size
    return descriptor, os.pread(descriptor, 1, max(0, size - 1)) not in (b"", b"\n")

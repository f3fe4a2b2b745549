"""Scratch: what is too large for memory and not needed in the end, in files."""

import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mixers.files import TEMPORARY


def mapped_arrays(folder: Path) -> Callable[[int, DTypeLike], NDArray[Any]]:
    """What makes arrays that lie in files of `folder`, so that the system can drop their pages from memory.

    The room is given back once an array is not used. The files have no name, so that nothing remains of a
    killed process.
    """

    def allocate(length: int, dtype: DTypeLike) -> NDArray[Any]:
        size = max(length * np.dtype(dtype).itemsize, 1)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype, length)

    return allocate


def _reserve(file: int, size: int) -> None:
    """Make a file so large; where the system can, a full disk fails here and not at a later write."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)


@contextmanager
def scratch_file(folder: Path, name: str) -> Iterator[Path]:
    """Give a path to write to; the file is removed in the end, or by the next run if this one is killed."""
    path = folder / f"{TEMPORARY}{name}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Give a folder for files; it is removed in the end, or by the next run if this one is killed."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=folder) as path:
        yield Path(path)

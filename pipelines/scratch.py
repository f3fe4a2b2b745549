"""Scratch: arrays in files without a name, so that the system can write them to disk when memory is short."""

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def mapped_arrays(folder: Path) -> Callable[[int, DTypeLike], NDArray[Any]]:
    """What makes arrays that lie in files of `folder`; the room is given back once an array is not used.

    The files have no name, so that nothing remains of a killed process.
    """

    def allocate(length: int, dtype: DTypeLike) -> NDArray[Any]:
        size = max(length * np.dtype(dtype).itemsize, 1)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)  # fails here, not at a write, where the disk is full
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype, length)

    return allocate

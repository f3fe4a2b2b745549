"""One accelerator a training: trainings that run beside each other on a machine take turns on its GPUs."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

WAIT_SECONDS = 1.0


@contextmanager
def own_accelerator() -> Iterator[None]:
    """Compute on a GPU that no other training holds, and wait for one; without GPUs on the CPU, at once."""
    import torch

    count = torch.cuda.device_count()
    if not count:
        yield
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",")[:count] if visible else map(str, range(count))
    folder = Path(tempfile.gettempdir()) / f"coupage-accelerators-{os.getuid()}"
    with one_of([name.replace("/", "-") for name in names], folder) as number, torch.cuda.device(number):
        yield
        torch.cuda.empty_cache()


@contextmanager
def one_of(names: Sequence[str], folder: Path) -> Iterator[int]:
    """Hold one of some things, and wait while other processes hold all; a process that dies lets go.

    Args:
        names: Each without a slash; the same in all processes.
        folder: Of one file for each, made where it is lacking.

    Yields:
        The place of its name.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for number, name in enumerate(names):
            with (folder / name).open("a") as file:
                if _locked(file):
                    yield number
                    return
        time.sleep(WAIT_SECONDS)


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

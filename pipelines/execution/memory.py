"""How much memory a run has in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def resident_bytes() -> int | None:
    """Resident memory of this process and all that it started; None where there is no /proc.

    Pages that several of them share, such as libraries and mapped files, count once for each.
    """
    try:
        return sum(_resident(process) for process in _with_descendants(os.getpid()))
    except OSError:
        return None


def _resident(process: int) -> int:
    """`statm`: sizes in pages, the resident one second (proc_pid_statm(5))."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        if process == os.getpid():
            raise
        return 0  # it has ended in the meantime


def _with_descendants(process: int) -> Iterator[int]:
    yield process
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            yield from _with_descendants(int(child))

"""One writer a folder."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".lock"


@contextmanager
def locked(folder: Path, refusal: Exception) -> Iterator[None]:
    """Hold the folder's lock, which the system releases however the process ends.

    Args:
        folder: The folder; made if it is not there, and removed if what failed left nothing in it.
        refusal: Raised when another process holds the lock.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        try:
            yield
        except BaseException:
            if is_new and [path.name for path in folder.iterdir()] == [LOCK]:
                shutil.rmtree(folder)
            raise

"""One writer a folder: a second run on the same folder is refused."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import WorkError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system releases it however the process ends.

    Raises WorkError if it is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkError(
                "another run is working in this folder",
                file=str(folder),
                hint="Wait for it to end, stop it, or choose another folder.",
            ) from error
        yield

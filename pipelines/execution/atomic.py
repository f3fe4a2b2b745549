"""Writing whole files, and clearing away what a killed writer left behind."""

from pathlib import Path

from mixers.files import TEMPORARY, finished_file


def write_bytes(final: Path, data: bytes) -> None:
    """Write `data` to `final`: all of it or nothing."""
    with finished_file(final) as temporary:
        temporary.write_bytes(data)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files below `folder`."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)

"""One run a folder: a second run on the same folder is refused."""

from contextlib import AbstractContextManager
from pathlib import Path

from mixers.lock import locked
from pipelines.errors import WorkError


def only_run_in(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs out of the folder; raise WorkError when one works there already."""
    refusal = WorkError(
        "another run is working in this folder",
        file=str(folder),
        hint="Wait for it to end, stop it, or choose another folder.",
    )
    return locked(folder, refusal)

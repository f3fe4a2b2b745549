"""What must lie on this machine, or on a file system that its nodes share."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.errors import UserError
from pipelines.sources.remote.secrets import masked

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def local_folder(path: str | Path | None) -> Path | None:
    """The path. Raises UserError where it is a URL: where commands work, they rename, lock and map files."""
    if path is not None and _URL.match(str(path)):
        raise UserError(
            "a folder that a command works in lies on this machine or a shared file system",
            file=masked(str(path)),
            hint="Give a local folder; `coupage publish RUN ADDRESS` sends what was built to a store.",
        )
    return Path(path) if path is not None else None

"""Folders that a command writes: new ones appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mixers.files import TEMPORARY
from pipelines.errors import UserError


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` on success and is removed on failure.

    Raises UserError when `path` exists and is not an empty folder.
    """
    path = path.absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError("it is there already, and not empty", file=str(path), hint="Choose a new folder.")
    temporary = path.parent / f"{TEMPORARY}{os.getpid()}-{path.name}"
    make_folder(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder unless it is there. Raises UserError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder cannot be made: {error.strerror}", file=str(path), hint="Choose another one with -o."
        ) from error

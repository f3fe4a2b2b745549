"""Seals: the size and hash of every file of a finished folder, in a file that is sealed itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mixers.files import hash_file
from mixers.lock import LOCK
from pipelines.execution.manifest import Damage, Damaged, FileRecord, damages_of, read_sealed, write_sealed

SEAL = "seal.json"


def seal_folder(folder: Path) -> None:
    """Write the seal of a finished folder, over all files in it."""
    write_sealed(folder / SEAL, {"files": file_records(folder, files_below(folder))})


def check_folder(folder: Path) -> Iterator[Damage]:
    """Yield every damage of a sealed folder; one without its seal is damaged."""
    path = folder / SEAL
    if not path.exists():
        yield Damage(path, "is missing")
        return
    try:
        records = read_sealed(path)["files"]
    except Damaged as error:
        yield Damage(path, error.message)
        return
    yield from check_records(folder, records, files_below(folder))


def files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder that a seal covers, in order: neither itself nor a lock."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (SEAL, LOCK):
            yield path


def file_records(folder: Path, files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """The size and hash of each of `files`, by its path relative to `folder`."""
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "hash": hash_file(path)}
        for path in files
    }


def check_records(
    folder: Path, records: dict[str, dict[str, Any]], files: Iterable[Path]
) -> Iterator[Damage]:
    """Yield every file that is not as `records` have it, and every one of `files` that they do not have."""
    yield from damages_of(
        folder, (FileRecord(name=name, rows=0, **record) for name, record in records.items())
    )
    for path in files:
        if path.relative_to(folder).as_posix() not in records:
            yield Damage(path, "is not part of what was sealed")

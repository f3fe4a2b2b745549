"""Receipts and manifests: what a task wrote, what a stage is, and how a changed byte is found.

A task writes its files, then its receipt; a stage writes its manifest last. Both appear under their final
names only when complete, so their presence means that the work is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, Field, ValidationError

from mixers.files import hash_file, write_bytes
from pipelines.execution.counts import Counts
from pipelines.execution.fingerprint import canonical_json, fingerprint

MANIFEST = "manifest.json"
FORMAT = 2
"""Of receipts and manifests: stages whose earlier ones can no longer be read are run again."""


class FileRecord(BaseModel):
    """A file of a stage: name relative to the stage's folder, size, rows (0 where it has none) and hash."""

    name: str
    bytes: int
    rows: int
    hash: str


class Receipt(BaseModel):
    """What one task did."""

    task: int
    files: list[FileRecord] = Field(default_factory=list)
    counts: Counts = Field(default_factory=Counts)
    seconds: float = 0.0


class Manifest(BaseModel):
    """What a finished stage is: what made it, what it consists of, and its sums."""

    stage: str
    scope: str
    version: int
    fingerprint: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    tasks: list[Receipt]
    files: list[FileRecord]
    counts: Counts
    seconds: float

    def all_files(self) -> Iterator[FileRecord]:
        """The files of the tasks in order, then those of the stage as a whole."""
        for task in self.tasks:
            yield from task.files
        yield from self.files

    def part_names(self, suffix: str) -> list[str]:
        """Names of the tasks' files that end in `suffix`, in task order."""
        return [file.name for task in self.tasks for file in task.files if file.name.endswith(suffix)]


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with a seal over its own content, so that a change of any byte can be seen."""
    write_bytes(path, _sealed_bytes(content))


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote; raises Damaged when the bytes are not those that were written."""
    data = path.read_bytes()
    try:
        content = orjson.loads(data)
        content.pop("seal")
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
        raise Damaged(path, "it is not the sealed JSON that was written") from error
    if _sealed_bytes(content) != data:
        raise Damaged(path, "its seal does not fit its content")
    return dict(content)


def _sealed_bytes(content: dict[str, Any]) -> bytes:
    return canonical_json(content | {"seal": fingerprint(content)}) + b"\n"


class Damaged(Exception):
    """A file is not what was written."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished stage, or None where the stage is not finished.

    Raises Damaged when the manifest is not what was written.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        return Manifest.model_validate(read_sealed(path))
    except ValidationError as error:
        raise Damaged(path, "it is not a manifest of this version") from error


@dataclass(frozen=True)
class Damage:
    """A file that is missing, changed or unknown."""

    file: Path
    what: str


def check_files(folder: Path, manifest: Manifest) -> Iterator[Damage]:
    """Yield every damage of a finished stage's folder, by size, hash and absence from the manifest."""
    known = {MANIFEST}
    for record in manifest.all_files():
        known.add(record.name)
        path = folder / record.name
        if not path.is_file():
            yield Damage(path, "is missing")
        elif path.stat().st_size != record.bytes:
            yield Damage(path, f"has {path.stat().st_size} bytes instead of {record.bytes}")
        elif hash_file(path) != record.hash:
            yield Damage(path, "has changed: its hash is not the recorded one")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in known:
            yield Damage(path, "is not in the manifest")

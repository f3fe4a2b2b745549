"""Receipts and manifests: what a task wrote, what a stage is, and how a changed byte is found.

A task writes its files, then its receipt; a stage writes its manifest last. Both appear under their final
names only when complete, so their presence means that the work is done. Both are sealed, so that one which a
power cut tore, or which somebody changed, is not taken for what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, Field, ValidationError

from mixers.files import FileState, known_hash, write_bytes
from pipelines.errors import WorkError
from pipelines.execution.counts import Counts
from pipelines.execution.fingerprint import canonical_json, fingerprint

MANIFEST = "manifest.json"
FORMAT = 3
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


class InputRecord(BaseModel):
    """A stage that was read: its folder, the fingerprint that names it, and the content that it had."""

    folder: str
    fingerprint: str
    content: str


class Manifest(BaseModel):
    """What a finished stage is: what made it, what it consists of, and its sums."""

    stage: str
    scope: str
    version: int
    fingerprint: str
    settings: dict[str, Any]
    inputs: dict[str, InputRecord]
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

    @cached_property
    def content(self) -> str:
        """Names the bytes of all files: what later stages record of what they read."""
        return fingerprint([[file.name, file.hash] for file in self.all_files()])

    @cached_property
    def by_name(self) -> dict[str, FileRecord]:
        """The record of each file."""
        return {file.name: file for file in self.all_files()}


class Damaged(WorkError):
    """A file is not what was written."""

    def __init__(self, message: str, *, file: str = "", place: str = "", hint: str = "") -> None:
        hint = hint or "`coupage verify` finds all damage; running the recipe again makes good what it can."
        super().__init__(message, file=file, place=place, hint=hint)


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with a seal over its own content, so that a change of any byte can be seen."""
    write_bytes(path, sealed_bytes(content))


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote; raises Damaged when the bytes are not those that were written."""
    return unsealed(path.read_bytes(), str(path))


def unsealed(data: bytes, file: str) -> dict[str, Any]:
    """The content of sealed JSON that was read from `file`; raises Damaged."""
    try:
        content = orjson.loads(data)
        content.pop("seal")
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
        raise Damaged("is not the sealed JSON that was written", file=file) from error
    if sealed_bytes(content) != data:
        raise Damaged("has changed: its seal does not fit its content", file=file)
    return dict(content)


def sealed_bytes(content: dict[str, Any]) -> bytes:
    """JSON with a seal over its own content."""
    return canonical_json(content | {"seal": fingerprint(content)}) + b"\n"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished stage, or None where the stage is not finished. It is not to be changed.

    Raises Damaged when the manifest is not what was written.
    """
    path = folder / MANIFEST
    try:
        state = FileState.of(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _manifest_in_state(path, state)


@lru_cache(maxsize=4096)
def _manifest_in_state(path: Path, state: FileState) -> Manifest:
    try:
        return Manifest.model_validate(read_sealed(path))
    except ValidationError as error:
        raise Damaged("is not a manifest of this version", file=str(path)) from error


@dataclass(frozen=True)
class Damage:
    """A file that is missing, changed or unknown."""

    file: Path
    what: str


def damage_of(folder: Path, record: FileRecord) -> Damage | None:
    """What is wrong with one file of a stage; None if its bytes are those that were written."""
    path = folder / record.name
    if not path.is_file():
        return Damage(path, "is missing")
    size = path.stat().st_size
    if size != record.bytes:
        return Damage(path, f"has changed: it has {size} bytes instead of {record.bytes}")
    if known_hash(path) != record.hash:
        return Damage(path, "has changed: its hash is not the recorded one")
    return None


def damages_of(folder: Path, records: Iterable[FileRecord]) -> Iterator[Damage]:
    """Yield what is wrong with files of a stage."""
    for record in records:
        if damage := damage_of(folder, record):
            yield damage


def checked_path(folder: Path, record: FileRecord) -> Path:
    """The path of a file whose bytes are those that were written. Raises Damaged."""
    if damage := damage_of(folder, record):
        raise Damaged(damage.what, file=str(damage.file))
    return folder / record.name

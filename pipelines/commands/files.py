"""The files named on a command line, as a source whose documents bear their own ids."""

from __future__ import annotations

from rich.console import Console

from pipelines.sources.given_files import GivenFiles
from pipelines.stages.ingest import Ingest

SCOPE = "files"
REFERENCES = "references"
PART_BYTES = 16 << 20
"""Text of a part: small enough that one file of some hundred megabytes keeps all cores busy."""


def given_files(paths: list[str], messages: str | None, console: Console) -> GivenFiles:
    """The files; says of which it was found that they hold conversations.

    Raises:
        UserError: A file is missing, or its first records are no documents.
    """
    given = GivenFiles.find(paths, messages)
    for file, name in given.recognised().items():
        console.print(f"{file}: no field `text`; read as conversations (--messages {name})", soft_wrap=True)
    return given


def ingest(paths: list[str], messages: str | None, console: Console) -> Ingest:
    """The stage that turns the files into parts and sets bad records aside."""
    return _ingest(SCOPE, given_files(paths, messages, console))


def ingest_with_references(
    paths: list[str], references: list[str], messages: str | None, console: Console
) -> tuple[Ingest, ...]:
    """The same for the files, and for the references where there are any."""
    found = given_files([*paths, *references], messages, console).files
    apart = {SCOPE: found[: len(paths)], REFERENCES: found[len(paths) :]}
    return tuple(_ingest(scope, GivenFiles(files, messages)) for scope, files in apart.items() if files)


def _ingest(scope: str, files: GivenFiles) -> Ingest:
    return Ingest(scope=scope, source=files, group=scope, reader={}, part_bytes=PART_BYTES)

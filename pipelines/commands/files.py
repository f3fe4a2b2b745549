"""The files named on a command line, as a source whose documents bear their own ids."""

from __future__ import annotations

from pipelines.sources.given_files import GivenFiles
from pipelines.stages.ingest import Ingest

SCOPE = "files"
REFERENCES = "references"
PART_BYTES = 16 << 20
"""Text of a part: small enough that one file of some hundred megabytes keeps all cores busy."""


def ingest(paths: list[str]) -> Ingest:
    """The stage that turns the files into parts and sets bad records aside."""
    return _ingest(SCOPE, GivenFiles.find(paths))


def ingest_with_references(paths: list[str], references: list[str]) -> tuple[Ingest, ...]:
    """The same for the files, and for the references where there are any."""
    found = GivenFiles.find([*paths, *references]).files
    apart = {SCOPE: found[: len(paths)], REFERENCES: found[len(paths) :]}
    return tuple(_ingest(scope, GivenFiles(files)) for scope, files in apart.items() if files)


def _ingest(scope: str, files: GivenFiles) -> Ingest:
    return Ingest(scope=scope, source=files, group=scope, reader={}, part_bytes=PART_BYTES)

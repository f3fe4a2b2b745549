"""Files on this machine or on a remote file system: JSON lines, Parquet, CSV, plain text, web pages."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.content import Contents
from pipelines.sources.first_records import preview_files
from pipelines.sources.folders import Chosen, choose_documents
from pipelines.sources.formats import READABLE, RecordOptions, read_unit
from pipelines.sources.listing import InputFile, list_files, location_of, printable
from pipelines.sources.passed_over import PassedOver, describe
from pipelines.sources.preview import Preview


class FilesConfig(RecordOptions):
    """Files, folders and globs: tables, text, pages, books, papers, code, archives; also compressed."""

    reader: Literal["files"]
    path: str = Field(
        description="A file, a folder (with all below it), a glob, or a URL such as s3://bucket/*.jsonl.zst."
    )

    @override
    def build(self, name: str, base_folder: Path, contents: Contents | None = None) -> "FilesSource":
        contents = contents or Contents()
        if not self.path.startswith("~"):
            return FilesSource(name, self, str(base_folder), self.path, contents)
        home, _, pattern = self.path.partition("/")
        return FilesSource(name, self, str(base_folder / os.path.expanduser(home)), pattern, contents)


@dataclass(frozen=True)
class FilesSource(Source):
    """The files that match a pattern below a folder. They are listed once, when first asked for."""

    name: str
    config: FilesConfig
    folder: str
    pattern: str
    contents: Contents = field(default_factory=Contents, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: its task names the files and their content."""
        state = {name: value for name, value in vars(self).items() if name not in ("_chosen", "files")}
        return state | {"contents": Contents()}

    @cached_property
    def files(self) -> tuple[InputFile, ...]:
        """The files that will be read, sorted by path.

        Raises:
            UserError: there is none, or some may not be looked at.
        """
        chosen = self._chosen
        if denied := [file for file in chosen.files if file.denied]:
            raise UserError(
                "permission denied: nobody knows what it holds",
                file=printable(denied[0].location),
                hint="Give yourself the right to look at it, or name what lies beside it in `path`.",
            )
        if not chosen.files:
            raise UserError(
                f"{self.config.path}: there is no file to read",
                hint=f"{describe(chosen.passed_over)}. Readable are {READABLE}.",
            )
        return self.contents.identified(chosen.files)

    @override
    def passed_over(self) -> list[PassedOver]:
        return self._chosen.passed_over

    @cached_property
    def _chosen(self) -> Chosen:
        return choose_documents(list_files(self.pattern, self.folder))

    @override
    def identity(self) -> dict[str, Any]:
        """Path below the source's root, size and content of each file; where that root is does not matter."""
        files = [[file.path, file.size, file.version] for file in self.files]
        return {"reader": "files", **self.config.identity(file.path for file in self.files), "files": files}

    @override
    def size(self) -> int:
        """Bytes of all files, within the limit."""
        return self.config.limited_size(sum(file.size for file in self.files))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """Ranges of lines, row groups or record batches; whole files where those are not to be had."""
        return self.config.plan(self.files, part_bytes)

    @override
    def preview(self) -> Preview:
        return preview_files(self.name, self.config, self.files)

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        location = location_of(unit.file, self.pattern, self.folder)
        file = InputFile(unit.file, location, unit.bytes, unit.content)
        return read_unit(file, unit, self.config.field_map(self.name), quarantine)

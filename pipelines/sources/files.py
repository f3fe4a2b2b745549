"""Files on this machine or on a remote file system: JSON lines, Parquet, CSV, plain text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources import formats
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.content import Contents
from pipelines.sources.formats import UNITS, RecordOptions, read_unit, suffix_of
from pipelines.sources.listing import InputFile, is_remote, list_files, root_of


class FilesConfig(RecordOptions):
    """Files, folders and globs: .parquet, .jsonl and .json (also .gz, .zst), .csv, .txt, .md, .arrow."""

    reader: Literal["files"]
    path: str = Field(
        description="A file, a folder (with all below it), a glob, or a URL such as s3://bucket/*.jsonl.zst."
    )

    @override
    def build(self, name: str, base_folder: Path, contents: Contents | None = None) -> "FilesSource":
        path = self.path if is_remote(self.path) else str(base_folder / Path(self.path).expanduser())
        return FilesSource(name, self, path, contents or Contents())


@dataclass(frozen=True)
class FilesSource(Source):
    """The files that match a path. They are listed once, when first asked for."""

    name: str
    config: FilesConfig
    path: str
    contents: Contents = field(default_factory=Contents, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: its task names the files and their content."""
        return {"name": self.name, "config": self.config, "path": self.path, "contents": Contents()}

    @cached_property
    def files(self) -> tuple[InputFile, ...]:
        """The files that will be read, sorted by path; others in the folder are passed over.

        Raises:
            UserError: there is none, or a folder may not be listed.
        """
        found = list_files(self.path)
        if denied := [file for file in found if file.denied]:
            raise UserError(
                "the folder may not be listed, so nobody knows what it holds",
                file=denied[0].location,
                hint="Give yourself the right to read it, or name the others apart from it.",
            )
        readable = [file for file in found if suffix_of(file.path)]
        if not readable:
            raise UserError(
                f"{self.path}: none of its {len(found)} files has a suffix that can be read",
                hint=f"It holds e.g. {found[0].path}; readable are {' '.join(UNITS)}.",
            )
        return self.contents.identified(readable)

    @override
    def identity(self) -> dict[str, Any]:
        """Path below the source's root, size and content of each file; where that root is does not matter."""
        files = [[file.path, file.size, file.version] for file in self.files]
        return {"reader": "files", "version": formats.VERSION, "files": files}

    @override
    def size(self) -> int:
        """Bytes of all files, within the limit."""
        return self.config.limited_size(sum(file.size for file in self.files))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """Ranges of lines, row groups or record batches; whole files where those are not to be had."""
        return self.config.plan(self.files, part_bytes)

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        file = InputFile(unit.file, f"{root_of(self.path)}/{unit.file}", unit.bytes)
        return read_unit(file, unit, self.config.field_map(self.name), quarantine)

"""Files on this machine or on a remote file system: JSON lines, Parquet, CSV, plain text."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources import formats
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.folders import Chosen, choose_documents
from pipelines.sources.formats import READABLE, RecordOptions, read_unit
from pipelines.sources.listing import InputFile, list_files, root_of
from pipelines.sources.passed_over import PassedOver, describe


class FilesConfig(RecordOptions):
    """Files, folders and globs: .parquet, .arrow, .jsonl, .json, .csv, .tsv, .txt, .md, also compressed."""

    reader: Literal["files"]
    path: str = Field(
        description="A file, a folder (with all below it), a glob, or a URL such as s3://bucket/*.jsonl.zst."
    )

    @override
    def build(self, name: str, base_folder: Path) -> "FilesSource":
        if not self.path.startswith("~"):
            return FilesSource(name, self, str(base_folder), self.path)
        home, _, pattern = self.path.partition("/")
        return FilesSource(name, self, str(base_folder / os.path.expanduser(home)), pattern)


@dataclass(frozen=True)
class FilesSource(Source):
    """The files that match a pattern below a folder."""

    name: str
    config: FilesConfig
    folder: str
    pattern: str

    def files(self) -> list[InputFile]:
        """The files that will be read, sorted by path.

        Raises:
            UserError: there is none.
        """
        chosen = self._chosen()
        if not chosen.files:
            raise UserError(
                f"{self.config.path}: there is no file to read",
                hint=f"{describe(chosen.passed_over)}. Readable are {READABLE}.",
            )
        return chosen.files

    @override
    def passed_over(self) -> list[PassedOver]:
        return self._chosen().passed_over

    def _chosen(self) -> Chosen:
        return choose_documents(list_files(self.pattern, self.folder))

    @override
    def identity(self) -> dict[str, Any]:
        """Path, size and modification time of each file, and how its records are read."""
        files = [[file.path, file.size, file.version] for file in self.files()]
        return {"reader": "files", "version": formats.VERSION, "files": files}

    @override
    def size(self) -> int:
        """Bytes of all files, within the limit."""
        return self.config.limited_size(sum(file.size for file in self.files()))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """Ranges of lines, row groups or record batches; whole files where those are not to be had."""
        return self.config.plan(self.files(), part_bytes)

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        file = InputFile(unit.file, f"{root_of(self.pattern, self.folder)}/{unit.file}", unit.bytes, None)
        return read_unit(file, unit, self.config.field_map(self.name), quarantine)

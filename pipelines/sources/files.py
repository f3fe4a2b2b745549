"""Files on this machine or on a remote file system: JSON lines, Parquet, CSV, plain text."""

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
from pipelines.sources.first_records import preview_files
from pipelines.sources.formats import UNITS, RecordOptions, read_unit, suffix_of
from pipelines.sources.listing import InputFile, is_remote, list_files, root_of
from pipelines.sources.preview import Preview


class FilesConfig(RecordOptions):
    """Files, folders and globs: .parquet, .jsonl and .json (also .gz, .zst), .csv, .txt, .md, .arrow."""

    reader: Literal["files"]
    path: str = Field(
        description="A file, a folder (with all below it), a glob, or a URL such as s3://bucket/*.jsonl.zst."
    )

    @override
    def build(self, name: str, base_folder: Path) -> "FilesSource":
        path = self.path if is_remote(self.path) else str(base_folder / Path(self.path).expanduser())
        return FilesSource(name, self, path)


@dataclass(frozen=True)
class FilesSource(Source):
    """The files that match a path."""

    name: str
    config: FilesConfig
    path: str

    def files(self) -> list[InputFile]:
        """The files that will be read, sorted by path; others in the folder are passed over.

        Raises:
            UserError: there is none.
        """
        found = list_files(self.path)
        readable = [file for file in found if file.denied or suffix_of(file.path)]
        if not readable:
            raise UserError(
                f"{self.path}: none of its {len(found)} files has a suffix that can be read",
                hint=f"It holds e.g. {found[0].path}; readable are {' '.join(UNITS)}.",
            )
        return readable

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
    def preview(self) -> Preview:
        return preview_files(self.name, self.config, self.files())

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        file = InputFile(unit.file, f"{root_of(self.path)}/{unit.file}", unit.bytes, None)
        return read_unit(file, unit, self.config.field_map(self.name), quarantine)

"""The files named on a command line, as a source whose documents bear their own ids."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources import formats
from pipelines.sources.base import Labels, Quarantine, Source, Unit
from pipelines.sources.content import Contents
from pipelines.sources.fields import FieldMap, Fields
from pipelines.sources.first_records import preview_files
from pipelines.sources.formats import (
    READABLE,
    RecordOptions,
    plan_files,
    planned,
    read_unit,
    suffix_of,
    weighed,
)
from pipelines.sources.listing import InputFile
from pipelines.sources.preview import Preview
from pipelines.sources.refusals import OF_ANOTHER_SHAPE, ON_A_COMMAND_LINE, refusal


@dataclass(frozen=True)
class GivenFiles(Source):
    """Files in the order given. A `doc_id` is the record's id, else `<file name>:<row>`.

    Files of the same name in different folders are told apart by their paths from the folder that they share.
    """

    files: tuple[InputFile, ...]
    messages: str | None = None
    """The field with the conversation, or the name of their format."""

    @classmethod
    def find(cls, paths: list[str], messages: str | None = None) -> GivenFiles:
        """The files at `paths`. Raises UserError for one that is missing, repeated or of an unknown kind."""
        locations = [os.path.abspath(_existing(path)) for path in paths]
        if repeated := [path for path, times in Counter(locations).items() if times > 1]:
            raise UserError("the file is given twice", file=repeated[0], hint="Give each file once.")
        names = [os.path.basename(location) for location in locations]
        if len(set(names)) < len(names):
            shared = os.path.commonpath(locations)
            names = [os.path.relpath(location, shared) for location in locations]
        return cls(
            tuple(
                InputFile(name, location, os.path.getsize(location))
                for name, location in zip(names, locations, strict=True)
            ),
            messages,
        )

    @override
    def identity(self) -> dict[str, Any]:
        """Name, size and content of each file; where it lies does not matter."""
        files = [[file.path, file.size, file.version] for file in self._identified]
        messages = {"messages": self.messages} if self.messages else {}
        versions = formats.versions_of(self._identified)
        return {"version": formats.VERSION, **versions, "files": files, **messages}

    @override
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @override
    def preview(self) -> Preview:
        raise NotImplementedError("what files are like is said of each by itself")

    def recognised(self) -> dict[str, str]:
        """The format of conversations that the first records of files were found to have, by the file's path.

        Raises:
            UserError: The first records of a file can be read, and none is a document.
        """
        found = {}
        options = RecordOptions(messages=self.messages)
        for file in self.files:
            preview = preview_files("", options, [file])
            shape = all(each.reason in OF_ANOTHER_SHAPE for each in preview.refused)
            if preview.is_refused and shape:
                raise refusal("", options, preview.refused, ON_A_COMMAND_LINE)
            if preview.recognised:
                found[file.path] = preview.recognised
        return found

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """Ranges of lines or row groups; whole files where those are not to be had."""
        return planned(list(plan_files(self.files, part_bytes)), self._identified)

    @cached_property
    def _identified(self) -> tuple[InputFile, ...]:
        return Contents().identified(self.files)

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        file = next(file for file in self.files if file.path == unit.file)
        fields = FieldMap(Labels("", ""), Fields(id=_id_field(file)), self.messages)
        return read_unit(file, unit, fields, quarantine)

    def read_file(self, file: InputFile, quarantine: Quarantine) -> Iterator[pa.Table]:
        """Documents of a whole file, from front to back."""
        for unit in weighed(list(plan_files([file], sys.maxsize)), [file]):
            yield from self.read(unit, quarantine)


def _existing(path: str) -> str:
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "there is no such file"
        raise UserError(what, file=path, hint="Give the files themselves, e.g. data/*.jsonl.")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UserError("the file's name is not UTF-8", file=repr(path), hint="Rename it.") from error
    if suffix_of(path) is None:
        raise UserError("its suffix does not say how to read it", file=path, hint=f"Readable are {READABLE}.")
    return path


def _id_field(file: InputFile) -> str:
    """`id`; of Parquet files that this program wrote, `doc_id`."""
    if suffix_of(file.path) != ".parquet":
        return "id"
    try:
        columns = pq.read_schema(file.location).names
    except (OSError, pa.ArrowInvalid):
        return "id"  # reading it will say why
    return "doc_id" if "doc_id" in columns and "id" not in columns else "id"

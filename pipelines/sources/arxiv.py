"""Source archives of arXiv: the LaTeX of papers as text with formulas.

Bulk files (`arXiv_src_YYMM_NNN.tar`) hold a file for each paper, and so does a folder of papers: a gzipped
tar file, a gzipped TeX file, or a PDF where there is no source. Layout:
https://info.arxiv.org/help/bulk_data_s3.html
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.execution.fingerprint import library_versions
from pipelines.sources.archives import members as archives
from pipelines.sources.archives.members import MemberFile, Passed, Refused
from pipelines.sources.archives.streams import Archive
from pipelines.sources.archives.tar_files import tar_members
from pipelines.sources.base import Quarantine, Reason, Source, SourceOptions, Unit, batched
from pipelines.sources.compressed import COMPRESSIONS, BreakableStream, Budget, Decompressed, broken
from pipelines.sources.content import Contents
from pipelines.sources.fields import FieldMap, Fields, documents_from_records
from pipelines.sources.first_records import Refusals
from pipelines.sources.kinds import unread_suffix
from pipelines.sources.latex import paper as latex
from pipelines.sources.latex.project import NoPaper
from pipelines.sources.limit import Cut
from pipelines.sources.lines import MAX_RECORD_BYTES
from pipelines.sources.listing import InputFile, list_files, location_of, printable
from pipelines.sources.passed_over import PassedOver, count_passed_over, describe
from pipelines.sources.preview import Preview
from pipelines.sources.schema import PART_SCHEMA

VERSION = 1
"""To be raised when the same archives give other papers."""

MAX_TEX_BYTES = 64 << 20
"""Of all TeX files of a paper. Papers with more are data in the clothes of TeX."""

PREVIEWED = 5
"""So many papers are looked at by plans."""

_NEW_ID = re.compile(r"(\d{4}\.\d{4,5})(v\d+)?")
_OLD_ID = re.compile(r"([a-z-]+(?:\.[A-Z]{2})?)_?(\d{7})(v\d+)?")
_SUFFIX = re.compile(r"(\.tar\.gz|\.tgz|\.tar|\.gz|\.tex|\.pdf)$", re.IGNORECASE)
_READ = (".tar", ".gz", ".tgz", ".tex")
_TEX = (".tex", ".ltx", ".latex", ".sty", ".cls", ".txt", ".def")
_FORMAT = "arxiv"


class ArxivConfig(SourceOptions):
    """Source archives of arXiv, in bulk files or one by one."""

    reader: Literal["arxiv"]
    path: str = Field(
        description="A bulk file (arXiv_src_*.tar), a paper (2101.00001.gz, .tar.gz), a folder or a glob of "
        "them, or a URL."
    )

    @override
    def build(self, name: str, base_folder: Path, contents: Contents | None = None) -> ArxivSource:
        path = os.path.expanduser(self.path) if self.path.startswith("~") else self.path
        return ArxivSource(name, self, str(base_folder), path, contents or Contents())


class _Packed(NamedTuple):
    """A paper as it lies in its file."""

    path: str
    content: bytes
    stored: int


@dataclass(frozen=True)
class ArxivSource(Source):
    """The papers in the files that a pattern stands for."""

    name: str
    config: ArxivConfig
    folder: str
    pattern: str
    contents: Contents = field(default_factory=Contents, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: its task names the files."""
        state = {name: value for name, value in vars(self).items() if name not in ("_listed", "files")}
        return state | {"contents": Contents()}

    @cached_property
    def files(self) -> tuple[InputFile, ...]:
        """The files that will be read, sorted by path. Raises UserError where there is none."""
        found = [file for file in self._listed if file.path.lower().endswith(_READ)]
        if not found:
            raise UserError(
                f"{self.config.path}: there is no source archive",
                hint=f"{describe(self.passed_over())}. They are called arXiv_src_*.tar, *.tar.gz or *.gz.",
            )
        return self.contents.identified(found)

    @cached_property
    def _listed(self) -> list[InputFile]:
        return list_files(self.pattern, self.folder).files

    @override
    def passed_over(self) -> list[PassedOver]:
        others = [file.path for file in self._listed if not file.path.lower().endswith(_READ)]
        return count_passed_over((unread_suffix(path), printable(path)) for path in others)

    @override
    def identity(self) -> dict[str, Any]:
        files = [[file.path, file.size, file.version] for file in self.files]
        versions = {"arxiv": VERSION, "latex": latex.VERSION, "archives": archives.VERSION}
        return {
            "reader": _FORMAT,
            "version": versions | library_versions("pylatexenc"),
            "files": files,
            **self.config.sampling(),
        }

    @override
    def size(self) -> int:
        return self.config.limited_size(sum(file.size for file in self.files))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """A unit a file."""

        def cut(file: InputFile) -> Cut:
            unit = Unit(file.path, _FORMAT, 0, file.size, 0, file.size, content=file.version)
            return lambda part_bytes: [unit]

        cuts = {file.path: cut(file) for file in self.files}
        return self.config.limited(cuts, sum(file.size for file in self.files), part_bytes, self._count)

    def _count(self, unit: Unit) -> int:
        """Papers, those that cannot be read among them."""
        ignored = Quarantine(write=lambda _: None)
        return sum(1 for _ in self._packed(unit, ignored)) + ignored.lost_records

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        return batched(self._tables(unit, quarantine))

    def _tables(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        fields = FieldMap(self.config.labels(self.name), Fields())
        before = quarantine.lost_records
        read = 0
        for packed in self._packed(unit, quarantine):
            if unit.rows is not None and read + quarantine.lost_records - before >= unit.rows:
                return
            try:
                record = _record(packed)
            except _Refusal as refusal:
                quarantine.add(packed.path, "", refusal.reason, str(refusal), bytes=packed.stored)
                continue
            read += 1
            yield documents_from_records(
                [(0, -1, -1, packed.stored, record)], fields, packed.path, quarantine
            )

    def _packed(self, unit: Unit, quarantine: Quarantine) -> Iterator[_Packed]:
        location = location_of(unit.file, self.pattern, self.folder)
        file = InputFile(unit.file, location, unit.bytes, unit.content)
        try:
            with file.open() as raw:
                if _arxiv_id(file.path) is None and file.path.lower().endswith(".tar"):
                    yield from _papers_of(Archive(raw), file, unit, quarantine)
                else:
                    content = raw.read(MAX_RECORD_BYTES + 1)
                    if len(content) > MAX_RECORD_BYTES:
                        quarantine.add(file.path, "", Reason.TOO_LARGE, bytes=unit.bytes)
                    else:
                        yield _Packed(file.path, content, unit.bytes)
        except OSError as error:
            if file.remote:
                raise
            reason = Reason.PERMISSION if isinstance(error, PermissionError) else Reason.UNREADABLE
            quarantine.add(file.path, "", reason, str(error), bytes=unit.whole_file, records=None)

    @override
    def preview(self) -> Preview:
        bad = Refusals()
        tables = [PART_SCHEMA.empty_table()]
        stored = 0
        units = self.units(1)
        for unit in units[:PREVIEWED]:
            rows = PREVIEWED if unit.rows is None else min(PREVIEWED, unit.rows)
            tables += self._tables(replace(unit, rows=rows), bad)
            packed = (
                each.stored for each, _ in zip(self._packed(unit, Refusals()), range(rows), strict=False)
            )
            stored += sum(packed)
            if sum(table.num_rows for table in tables) >= PREVIEWED:
                break
        documents = pa.concat_tables(tables)
        text = pc.sum(pc.binary_length(documents.column("text"))).as_py() or 0
        whole = self.size()
        factor = max(1.0, whole / max(1, stored))
        records = round((documents.num_rows + bad.number) * factor)
        return Preview(documents, tuple(bad.shown), records, round(text * factor), whole)


class _Refusal(Exception):
    """Why a file is no paper that can be read."""

    def __init__(self, reason: Reason, why: str = "") -> None:
        super().__init__(why)
        self.reason = reason


def _papers_of(archive: Archive, file: InputFile, unit: Unit, quarantine: Quarantine) -> Iterator[_Packed]:
    """The papers of a bulk file."""
    for member in tar_members(archive, file, unit):
        if isinstance(member, Passed):
            quarantine.pass_over(member.kind, member.path)
        elif isinstance(member, Refused):
            _set_aside(member, unit, quarantine)
        elif not member.path.lower().endswith((*_READ, ".pdf")):
            quarantine.pass_over(unread_suffix(member.path), member.path)
        elif member.size > MAX_RECORD_BYTES:
            quarantine.add(member.path, "", Reason.TOO_LARGE, bytes=member.stored)
        else:
            stream = member.start()
            content = stream.read(member.size)
            if how := broken(stream):
                quarantine.add(member.path, "", how, bytes=member.stored)
            else:
                yield _Packed(member.path, content, member.stored)


def _set_aside(member: Refused, unit: Unit, quarantine: Quarantine) -> None:
    lost = unit.whole_file if member.stored is None else member.stored
    records = 1 if member.is_one else None
    quarantine.add(member.path, "", member.reason, member.why, bytes=lost, records=records)


def _record(packed: _Packed) -> dict[str, Any]:
    """A paper as a record. Raises _Refusal."""
    if packed.content.startswith(b"%PDF") or packed.path.lower().endswith(".pdf"):
        raise _Refusal(Reason.INVALID_LATEX, "a PDF without source")
    files = _files(packed)
    try:
        paper = latex.read_paper(files)
    except (NoPaper, RecursionError) as error:
        raise _Refusal(Reason.INVALID_LATEX, str(error)) from error
    identifier = _arxiv_id(packed.path)
    record = {"text": paper.text, "title": paper.title, "main_file": paper.main}
    if identifier is not None:
        record |= {"id": identifier, "arxiv_id": identifier, "url": f"https://arxiv.org/abs/{identifier}"}
    return {name: value for name, value in record.items() if value}


def _files(packed: _Packed) -> dict[str, bytes]:
    """The TeX files of a paper by their paths. Raises _Refusal."""
    budget = Budget(len(packed.content))
    stream: io.BytesIO | Decompressed = io.BytesIO(packed.content)
    is_packed = packed.content.startswith(b"\x1f\x8b")
    if is_packed:
        stream = Decompressed(stream, COMPRESSIONS[".gz"])
        stream.budget = budget
    head = stream.read(tarfile.BLOCKSIZE)
    if _begins_tar(head):
        return _members(packed, ".tar.gz" if is_packed else ".tar")
    content = head + stream.read(MAX_TEX_BYTES)
    if isinstance(stream, BreakableStream) and stream.broken:
        raise _Refusal(stream.broken)
    if len(content) > MAX_TEX_BYTES:
        raise _Refusal(Reason.TOO_LARGE)
    if content.startswith(b"%PDF"):
        raise _Refusal(Reason.INVALID_LATEX, "a PDF without source")
    return {"paper.tex": content}


def _begins_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def _members(packed: _Packed, suffix: str) -> dict[str, bytes]:
    file = InputFile(f"paper{suffix}", packed.path, len(packed.content))
    unit = Unit(file.path, _FORMAT, 0, file.size, 0, file.size)
    files: dict[str, bytes] = {}
    left = MAX_TEX_BYTES
    for member in tar_members(Archive(io.BytesIO(packed.content)), file, unit):
        if isinstance(member, Refused) and not member.is_one:
            raise _Refusal(member.reason, member.why)
        if not isinstance(member, MemberFile) or not _is_tex(member.path):
            continue
        if member.size > left:
            raise _Refusal(Reason.TOO_LARGE)
        left -= member.size
        stream = member.start()
        content = stream.read(member.size)
        if how := broken(stream):
            raise _Refusal(how)
        files[member.path.partition("!/")[2]] = content
    return files


def _is_tex(path: str) -> bool:
    name = posixpath.basename(path)
    suffix = posixpath.splitext(name)[1].lower()
    return suffix in _TEX or not suffix or name.upper().startswith("00README")


def _arxiv_id(path: str) -> str | None:
    """The identifier that a file is called by, as arXiv writes it."""
    name = _SUFFIX.sub("", posixpath.basename(path))
    if (match := _NEW_ID.fullmatch(name)) is not None:
        return match[0]
    if (match := _OLD_ID.fullmatch(name)) is not None:
        return f"{match[1]}/{match[2]}{match[3] or ''}"
    return None

"""The members of an archive are read as files are, each by the format that its suffix names."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa
from typing_extensions import override

from pipelines.sources.archives.limits import MAX_HELD_BYTES
from pipelines.sources.archives.names import is_hidden
from pipelines.sources.archives.streams import Archive, Member
from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.compressed import broken
from pipelines.sources.listing import InputFile

VERSION = 1
"""To be raised when the same archives give other members."""


class Broken(OSError):
    """A member that must be held in memory, and cannot be."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class MemberFile(InputFile):
    """A member that can be read."""

    start: Callable[[], Member] = field(kw_only=True)
    """Its content from its beginning."""
    stored: int = field(kw_only=True)
    """Its bytes in the archive."""

    @property
    @override
    def remote(self) -> bool:
        """True: it has no path on this machine."""
        return True

    @override
    def open(self) -> BinaryIO:
        """From front to back."""
        return cast(BinaryIO, self.start())


@dataclass(frozen=True)
class HeldFile(MemberFile):
    """A member that is read here and there: one that lies in the archive as it is, or is held in memory."""

    @override
    def open(self) -> BinaryIO:
        stream = self.start()
        if stream.section is not None:
            return io.BufferedReader(stream.section)
        if self.size > MAX_HELD_BYTES:
            raise Broken(Reason.TOO_LARGE)
        content = stream.read(self.size)
        if how := broken(stream):
            raise Broken(how)
        return io.BytesIO(content)


class Refused(NamedTuple):
    """A member, or the rest of an archive, that is not read, and why."""

    path: str
    reason: Reason
    why: str = ""
    stored: int | None = 0
    """Its bytes in the archive; None for all that is left of it."""
    is_one: bool = True
    """Whether it is one member."""


class Passed(NamedTuple):
    """A member that is no file of data, and its kind."""

    path: str
    kind: str


Found = MemberFile | Refused | Passed


@dataclass(frozen=True)
class Formats:
    """What the members of archives are read with: the formats of files."""

    units: Callable[[InputFile], Iterable[Unit]]
    read: Callable[[InputFile, Unit, Quarantine], Iterator[pa.Table]]
    unread_kind: Callable[[str], str | None]
    """The kind of a file that is not read; None of one that is."""
    is_archive: Callable[[str], bool]
    is_read_in_order: Callable[[str], bool]
    """Whether a file is read from front to back."""


def read_members(
    archive: Archive,
    members: Iterable[Found],
    file: InputFile,
    unit: Unit,
    formats: Formats,
    quarantine: Quarantine,
) -> Iterator[pa.Table]:
    """Documents of the members; what is refused is set aside, what is no document is counted by its kind.

    Raises:
        OSError: The archive itself could not be read.
    """
    left = unit.rows
    lost_before = quarantine.lost_bytes
    for member in members:
        before = quarantine.lost_records
        if isinstance(member, Passed):
            quarantine.pass_over(member.kind, member.path)
        elif isinstance(member, Refused):
            lost = unit.whole_file - (quarantine.lost_bytes - lost_before)
            lost = max(0, lost) if member.stored is None else member.stored
            records = 1 if member.is_one else None
            quarantine.add(member.path, "", member.reason, member.why, bytes=lost, records=records)
        elif formats.is_archive(member.path):
            quarantine.add(member.path, "", Reason.NESTED_ARCHIVE, bytes=member.stored, records=None)
        elif kind := _kind(member.path, formats):
            quarantine.pass_over(kind, member.path)
        else:
            for table in _documents(archive, member, left, formats, quarantine):
                if left is not None:
                    left -= table.num_rows
                yield table
        if left is not None:
            left -= quarantine.lost_records - before
            if left <= 0:
                return


def _kind(path: str, formats: Formats) -> str | None:
    inside = path.rpartition("!/")[2]
    return "hidden" if is_hidden(inside) else formats.unread_kind(inside)


def _documents(
    archive: Archive, member: MemberFile, rows: int | None, formats: Formats, quarantine: Quarantine
) -> Iterator[pa.Table]:
    if not formats.is_read_in_order(member.path):
        member = HeldFile(member.path, member.location, member.size, start=member.start, stored=member.stored)
    try:
        for unit in formats.units(member):
            yield from formats.read(member, _within(unit, member, rows), quarantine)
    except Broken as error:
        quarantine.add(member.path, "", error.reason, bytes=member.stored, records=None)
    except (OSError, pa.ArrowInvalid) as error:
        if archive.failure is not None:
            raise
        why = str(error.args[-1] if error.args else error)
        quarantine.add(member.path, "", Reason.UNREADABLE, why, bytes=member.stored, records=None)


def _within(unit: Unit, member: MemberFile, rows: int | None) -> Unit:
    """A unit of a member, with its bytes in the archive, and no more records than are left to be read."""
    if unit.rows is not None and rows is not None:
        rows = min(rows, unit.rows)
    return replace(unit, bytes=member.stored, rows=unit.rows if rows is None else rows)

"""Tar files, also compressed: read from front to back, header by header.

The standard library reads the headers; what it would read in one piece, whatever its size (long names and
extended attributes), is read here.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.sources.archives.limits import MAX_HEADER_BYTES, MAX_MEMBERS
from pipelines.sources.archives.members import Found, MemberFile, Passed, Refused
from pipelines.sources.archives.names import leads_out, plain_name, unsafe_name
from pipelines.sources.archives.streams import Archive, Member, Restartable, Section
from pipelines.sources.base import Reason, Unit
from pipelines.sources.compressed import (
    TRUNCATED,
    Budget,
    Decompressed,
    Stream,
    broken,
    split_compression,
    stored_rate,
)
from pipelines.sources.listing import InputFile, printable

_BLOCK = tarfile.BLOCKSIZE
_EMPTY = bytes(_BLOCK)
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_LINKS = {tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link"}
_WITHOUT_CONTENT = (*_LINKS, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
_PAX_RECORD = re.compile(rb"(\d{1,7}) ")


def tar_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """The whole file: it has no directory."""
    return [Unit(file.path, "tar", 0, file.size, 0, file.size, rows=None if file.size else 0)]


class _Damaged(Exception):
    """The file goes on in a way that is no tar file's."""

    def __init__(self, reason: Reason, why: str = "") -> None:
        super().__init__(why)
        self.reason = reason


class _Header(NamedTuple):
    """What a header says of a member."""

    name: str
    type: bytes
    size: int
    target: str
    is_sparse: bool


@dataclass
class _Reader:
    """Goes through the blocks of a file, by jumps where it can be read anywhere."""

    archive: Archive
    stream: Stream
    budget: Budget
    end: int
    """The size of the file."""
    position: int = 0
    """In the uncompressed file."""
    attributes: dict[str, str] = field(default_factory=dict)
    """What extended headers say of the next member."""

    @property
    def is_plain(self) -> bool:
        return self.stream is self.archive

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises _Damaged where there are fewer."""
        data = self.stream.read(size)
        self.position += len(data)
        if len(data) < size:
            raise _Damaged(broken(self.stream) or Reason.TRUNCATED_TAR)
        return data

    def block(self) -> bytes | None:
        """The next block that is not empty; None at the end."""
        while True:
            data = self.stream.read(_BLOCK)
            self.position += len(data)
            if not data and broken(self.stream) is None:
                return None
            if len(data) < _BLOCK:
                if not data.strip(b"\0") and broken(self.stream) is None:
                    return None
                raise _Damaged(broken(self.stream) or Reason.TRUNCATED_TAR)
            if data != _EMPTY:
                return data

    def go_to(self, position: int) -> None:
        """Skip up to a position in the uncompressed file. Raises _Damaged where it ends before."""
        if self.is_plain:
            if position > self.end:
                raise _Damaged(Reason.TRUNCATED_TAR)
            self.archive.seek(position)
            self.position = position
        while self.position < position:
            self.read(min(1 << 20, position - self.position))


def tar_members(archive: Archive, file: InputFile, unit: Unit) -> Iterator[Found]:
    """The members, in the file's order."""
    size = archive.seek(0, 2)
    archive.seek(0)
    budget = Budget(size)
    compression = split_compression(file.path)[1]
    stream: Stream = archive
    if compression is not None:
        stream = Decompressed(archive, compression)
        stream.budget = budget
    reader = _Reader(archive, stream, budget, size)
    try:
        yield from _members(reader, file)
    except _Damaged as damage:
        behind = None if damage.reason in (*TRUNCATED, Reason.TRUNCATED_TAR) else _behind(reader)
        yield Refused(file.path, damage.reason, str(damage), behind, is_one=False)


def _behind(reader: _Reader) -> int:
    """The stored bytes that come after what was read."""
    stream = reader.stream
    return max(0, reader.end - (stream.consumed if isinstance(stream, Decompressed) else reader.position))


def _members(reader: _Reader, file: InputFile) -> Iterator[Found]:
    names: set[int] = set()
    while (header := _next_header(reader)) is not None:
        begin = reader.position
        stored = int(header.size * stored_rate(reader.stream))
        found = _member(reader, file, header, names, stored)
        if len(names) > MAX_MEMBERS:
            raise _Damaged(Reason.BOMB, f"more than {MAX_MEMBERS:,} members")
        restartable = None
        if isinstance(found, MemberFile) and not reader.is_plain:
            restartable = Restartable(reader.stream, header.size)
            found = _sequential(reader, found, restartable)
        if found is not None:
            yield found
        if restartable is not None:
            restartable.skip()
            reader.position = begin + restartable.read_bytes
        reader.go_to(begin + -(-header.size // _BLOCK) * _BLOCK)


def _next_header(reader: _Reader) -> _Header | None:
    """What is said of the next member, in several headers perhaps."""
    extended: dict[str, str] = {}
    while (block := reader.block()) is not None:
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError, OverflowError) as error:
            raise _Damaged(Reason.CORRUPT_TAR, str(error)) from error
        if info.size < 0:
            raise _Damaged(Reason.CORRUPT_TAR, "a member of a negative size")
        if info.type in (*_PAX, *_LONG, tarfile.XGLTYPE):
            extended |= _extended(info, _header_content(reader, info.size))
            continue
        return _header(reader, info, block, extended)
    return None


def _header_content(reader: _Reader, size: int) -> bytes:
    if size > MAX_HEADER_BYTES:
        raise _Damaged(Reason.CORRUPT_TAR, f"a header of {size:,} bytes")
    return reader.read(-(-size // _BLOCK) * _BLOCK)[:size]


def _extended(info: tarfile.TarInfo, content: bytes) -> dict[str, str]:
    """What an extended header says of the next member; one of all members says nothing that counts here."""
    if info.type in _LONG:
        return {_LONG[info.type]: content.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    found = {}
    while content and info.type in _PAX:
        match = _PAX_RECORD.match(content)
        length = int(match[1]) if match else 0
        if match is None or length <= match.end() or content[length - 1 : length] != b"\n":
            raise _Damaged(Reason.CORRUPT_TAR, "extended attributes that cannot be read")
        key, _, value = content[match.end() : length - 1].decode("utf-8", "surrogateescape").partition("=")
        found[key] = value
        content = content[length:]
    return found


def _header(reader: _Reader, info: tarfile.TarInfo, block: bytes, extended: dict[str, str]) -> _Header:
    size = info.size
    if (claimed := extended.get("size")) is not None:
        if not (claimed.isascii() and claimed.isdigit() and len(claimed) < 20):
            raise _Damaged(Reason.CORRUPT_TAR, "a size that is no number")
        size = int(claimed)
    is_old_sparse = info.type == tarfile.GNUTYPE_SPARSE
    more = is_old_sparse and block[482]
    while more:
        more = reader.read(_BLOCK)[504]
    name, target = extended.get("path", info.name), extended.get("linkpath", info.linkname)
    is_folder = info.type == tarfile.AREGTYPE and name.endswith("/")
    return _Header(
        name,
        tarfile.DIRTYPE if is_folder else info.type,
        0 if info.type in _WITHOUT_CONTENT else size,
        target,
        is_old_sparse or any(key.startswith("GNU.sparse.") for key in extended),
    )


def _member(reader: _Reader, file: InputFile, header: _Header, names: set[int], stored: int) -> Found | None:
    """What a member is; None for a folder."""
    shown = f"{file.path}!/{printable(header.name)[:200]}"

    def unsafe(why: str) -> Refused:
        return Refused(shown, Reason.UNSAFE_MEMBER, why, stored)

    if (why := unsafe_name(header.name)) is not None:
        return unsafe(why)
    if header.type == tarfile.DIRTYPE:
        return None
    name = plain_name(header.name)
    key = hash(name)
    if key in names:
        return unsafe("a name that another member has")
    names.add(key)
    if header.type in _LINKS:
        if leads_out(name, header.target, from_root=header.type == tarfile.LNKTYPE):
            return unsafe(f"a {_LINKS[header.type]} to {printable(header.target)[:100]}")
        return Passed(f"{file.path}!/{name}", _LINKS[header.type])
    if header.type in _WITHOUT_CONTENT:
        return unsafe("a device or a pipe")
    if header.type not in tarfile.REGULAR_TYPES:
        return Refused(shown, Reason.UNREADABLE, f"a member of the type {header.type!r}", stored)
    if header.is_sparse:
        return Refused(shown, Reason.UNREADABLE, "a sparse file", stored)
    begin = reader.position

    def start() -> Member:
        return _member_stream(reader, Section(reader.archive, begin, header.size), header.size)

    return MemberFile(
        f"{file.path}!/{name}",
        f"{file.location}!/{name}",
        header.size,
        start=start,
        stored=stored,
    )


def _sequential(reader: _Reader, found: MemberFile, stream: Restartable) -> MemberFile:
    """The same member, to be read as the file is read on."""

    def start() -> Member:
        stream.restart()
        return _member_stream(reader, stream, found.size)

    return MemberFile(found.path, found.location, found.size, start=start, stored=found.stored)


def _member_stream(reader: _Reader, stream: Stream, size: int) -> Member:
    return Member(stream, size, Reason.TRUNCATED_TAR, Reason.CORRUPT_TAR, reader.budget)

"""Zip files: their directory is believed only as far as it agrees with what lies in the file."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise

from typing_extensions import override

from pipelines.sources.archives.limits import MAX_DIRECTORY_BYTES
from pipelines.sources.archives.members import Found, MemberFile, Passed, Refused
from pipelines.sources.archives.names import leads_out, plain_name, unsafe_name
from pipelines.sources.archives.streams import Archive, Member, Section
from pipelines.sources.base import Reason, Shares, Unit
from pipelines.sources.compressed import (
    COMPRESSIONS,
    FREE_BYTES,
    MAX_RATIO,
    Budget,
    Compression,
    Decompressed,
    Stream,
)
from pipelines.sources.listing import InputFile, printable

_STORED = 0
_METHODS = {
    8: Compression("zip", lambda: zlib.decompressobj(-zlib.MAX_WBITS), 1 << 14),
    12: replace(COMPRESSIONS[".bz2"], name="zip"),
    93: replace(COMPRESSIONS[".zst"], name="zip"),
    95: replace(COMPRESSIONS[".xz"], name="zip"),
}
"""By their numbers in the format's specification (APPNOTE 6.3.10, section 4.4.5)."""

_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_UTF8 = 1 << 11
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LINK_BYTES = 4096
_BAD_DIRECTORY = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError)


class _Bounded(Section):
    """The file for the standard library, which reads a directory in one piece."""

    @override
    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory is larger than {MAX_DIRECTORY_BYTES:,} bytes")
        return super().read(size)


def zip_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Runs of members; the whole file where its directory cannot be read."""
    whole = Unit(file.path, "zip", 0, 0, 0, file.size)
    try:
        with file.open() as raw:
            members = _directory(Archive(raw), file.size)[0]
    except (OSError, *_BAD_DIRECTORY):
        return [whole]  # reading it will say why
    filled = [0, *accumulate(member.compress_size for member in members)]
    if not filled[-1]:
        return [replace(whole, stop=len(members))]
    shares = Shares(file.size, filled[-1])
    return [
        replace(whole, start=start, stop=stop, bytes=shares.of(filled[start], filled[stop]))
        for start, stop in pairwise(_cuts(filled, part_bytes))
    ]


def _cuts(filled: list[int], part_bytes: int) -> list[int]:
    """Where runs of about `part_bytes` begin and end; `filled`: the bytes before each member, and of all."""
    cuts = [0]
    for index, size in enumerate(filled):
        if size - filled[cuts[-1]] >= part_bytes:
            cuts.append(index)
    return cuts if cuts[-1] == len(filled) - 1 else [*cuts, len(filled) - 1]


def zip_members(archive: Archive, file: InputFile, unit: Unit) -> Iterator[Found]:
    """The members of a unit, in the order of the directory."""
    size = archive.seek(0, 2)
    try:
        members, end = _directory(archive, size)
    except _BAD_DIRECTORY as error:
        yield Refused(file.path, Reason.CORRUPT_ZIP, str(error), None, is_one=False)
        return
    if unit.stop > len(members) or _overlap(members, end):
        why = "members that share their bytes"
        yield Refused(file.path, Reason.BOMB, why, None, is_one=False)
        return
    budget = Budget(size)
    names: set[str] = set()
    for index, member in enumerate(members):
        found = _member(archive, file, member, names, budget)
        if found is not None and unit.start <= index < unit.stop:
            yield found


def _directory(archive: Archive, size: int) -> tuple[list[zipfile.ZipInfo], int]:
    """The members, and where their bytes end."""
    with zipfile.ZipFile(_Bounded(archive, 0, size)) as opened:
        return opened.infolist(), opened.start_dir


def _overlap(members: list[zipfile.ZipInfo], end: int) -> bool:
    """Whether the bytes of two members, or of one and the directory, are the same (Fifield 2019)."""
    places = sorted((each.header_offset, each.compress_size) for each in members)
    starts = [start for start, _ in places[1:]] + [end]
    return any(
        start + _LOCAL_HEADER.size + size > behind
        for (start, size), behind in zip(places, starts, strict=True)
    )


def _member(
    archive: Archive, file: InputFile, member: zipfile.ZipInfo, names: set[str], budget: Budget
) -> Found | None:
    """What a member is; None for a folder."""
    shown = f"{file.path}!/{printable(member.orig_filename)[:200]}"
    stored = member.compress_size
    if (why := unsafe_name(member.orig_filename)) is not None:
        return Refused(shown, Reason.UNSAFE_MEMBER, why, stored)
    if member.is_dir():
        return None
    name = plain_name(member.orig_filename)
    if name in names:
        return Refused(shown, Reason.UNSAFE_MEMBER, "a name that another member has", stored)
    names.add(name)
    if member.flag_bits & _ENCRYPTED:
        return Refused(shown, Reason.ENCRYPTED, "", stored)
    if member.compress_type not in (_STORED, *_METHODS):
        return Refused(shown, Reason.UNREADABLE, f"compression method {member.compress_type}", stored)
    if member.file_size > stored * MAX_RATIO + FREE_BYTES:
        return Refused(shown, Reason.BOMB, f"{stored:,} bytes that become {member.file_size:,}", stored)
    path = f"{file.path}!/{name}"
    start = partial(_content, archive, member, budget)
    found = MemberFile(path, f"{file.location}!/{name}", member.file_size, start=start, stored=stored)
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        return _link(found, name)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return Refused(shown, Reason.UNSAFE_MEMBER, "a device or a pipe", stored)
    return found


def _link(member: MemberFile, name: str) -> Found:
    try:
        target = member.start().read(_LINK_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return Refused(member.path, Reason.UNREADABLE, str(error), member.stored)
    if leads_out(name, target, from_root=False):
        return Refused(member.path, Reason.UNSAFE_MEMBER, f"a link to {target[:100]}", member.stored)
    return Passed(member.path, "link")


def _content(archive: Archive, member: zipfile.ZipInfo, budget: Budget) -> Member:
    """The content of a member."""
    archive.seek(member.header_offset)
    header = archive.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise OSError("its header is behind the end of the file")
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    name = archive.read(name_bytes).decode("utf-8" if member.flag_bits & _UTF8 else "cp437", "replace")
    if signature != b"PK\3\4" or name != member.orig_filename:
        raise OSError("its header is not what the directory says")
    begin = member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    stream: Stream = Section(archive, begin, member.compress_size)
    if member.compress_type != _STORED:
        stream = Decompressed(stream, _METHODS[member.compress_type])
        stream.budget = budget
    return Member(stream, member.file_size, Reason.TRUNCATED_ZIP, Reason.CORRUPT_ZIP, budget, member.CRC)

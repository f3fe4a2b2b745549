"""Cuts the content of WARC and ARC files into records; what is none, and what is broken, is told.

WARC 1.1: ISO 28500:2017. ARC: the Internet Archive's "Arc File Format", versions 1 and 2. A record whose
length is wrong ends where the next one begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.sources.base import SAMPLE_BYTES, Reason
from pipelines.sources.web.content import Content, Place
from pipelines.sources.web.members import Piece

HEAD_BYTES = 1 << 16
"""A longer header of a record is none."""
TAIL_BYTES = 1 << 14
"""Looked at behind a record to see whether another one begins there."""
SEARCH_BYTES = 1 << 20

_WARC_LINE = rb"WARC/\d\.\d{1,2}\r?\n"
_ARC_LINE = (
    rb"([^\n]{1,8192}?) ([0-9A-Fa-f.:]{3,45}) (\d{8,18}) ([^ \n]{1,200})"
    rb"(?: (?:\d{3}|-) [^ \n]+ [^ \n]+ [^ \n]+ [^ \n]+)? ([^ \n]{1,20})\r?\n"
)
_BEGIN = re.compile(rb"%b|%b" % (_WARC_LINE, _ARC_LINE))
_ARC = re.compile(_ARC_LINE)
_NEXT = re.compile(rb"(?<=\n)(?:%b|%b)" % (_WARC_LINE, _ARC_LINE))
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HTTP_LENGTH = re.compile(rb"\ncontent-length: *(\d{1,9})\r?\n", re.IGNORECASE)
_BLANK = b"\r\n"
_RECORD_END = b"\r\n\r\n"
_ARC_TYPE = "response"
_NO_LENGTH = -1


class Head(NamedTuple):
    """What a record says of itself."""

    kind: str
    """As WARC calls it: response, request and so on."""
    fields: dict[str, str]
    """Named fields, in lower case."""
    length: int
    """Bytes of the record's block; negative where it does not say that."""
    size: int
    """Bytes of the header."""

    @property
    def url(self) -> str | None:
        """Where it is from."""
        url = self.fields.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")
        return url or None


class Record(NamedTuple):
    """A record; `block` is None where it was passed over, being longer than was allowed."""

    head: Head
    place: Place
    block: bytes | None
    stored: int
    """Bytes of the file."""


class Broken(NamedTuple):
    """What is no record, or not a whole one."""

    place: Place
    reason: Reason
    sample: bytes
    stored: int
    """Bytes of the file."""
    is_one: bool = True
    """Whether it is one record; else nobody knows how many there were."""


def begins_record(data: bytes) -> bool:
    """Whether a record of a WARC or ARC file begins here."""
    return _BEGIN.match(data) is not None


def read_records(content: Content, longest: int) -> Iterator[Record | Broken]:
    """The records; of those longer than `longest` only what they say of themselves."""
    while _bytes_follow(content) or content.fault is not None:
        place = content.place()
        sample = content.peek(SAMPLE_BYTES)
        if not sample:
            yield _faulty(content.pass_fault(), place, b"", is_one=False)
            continue
        head = _read_head(content)
        if head is None or head.length < 0:
            content.take(1)
            _skip_to_next(content)
            reason = Reason.NOT_A_RECORD if head is None else Reason.RECORD_LENGTH
            yield Broken(place, reason, sample, content.place().stored - place.stored)
            continue
        content.take(head.size)
        yield from _read_block(content, head, place, sample, longest)


def _bytes_follow(content: Content) -> bool:
    """Skip blank lines; whether there is anything behind them before the end and before any fault."""
    while (found := content.peek(1)) and found in _BLANK:
        content.take(1)
    return bool(found)


def _read_block(
    content: Content, head: Head, place: Place, sample: bytes, longest: int
) -> Iterator[Record | Broken]:
    if head.length > longest:
        block = None
        is_whole = content.reaches(head.length) and _pass_over(content, head.length)
    else:
        block = _block(content, head.length)
        is_whole = block is not None
    found = is_whole or _skip_to_next(content)
    fault = None if (is_whole and _bytes_follow(content)) or (found and not is_whole) else content.fault
    if fault is not None and (not is_whole or (fault.begins == place.member and not place.inner)):
        content.pass_fault()
        yield _faulty(fault, place, sample, is_one=is_whole)
    elif is_whole:
        yield Record(head, place, block, content.place().stored - place.stored)
    else:
        reason = Reason.RECORD_LENGTH if found else Reason.TRUNCATED_RECORD
        yield Broken(place, reason, sample, content.place().stored - place.stored)


def _pass_over(content: Content, length: int) -> bool:
    """Skip a block without holding it; False where it ends too early, or another record begins in it."""
    while length:
        if content.begins_member() and begins_record(content.peek(TAIL_BYTES)):
            return False
        skipped = content.skip(length)
        if not skipped:
            return False
        length -= skipped
    return True


def _block(content: Content, length: int) -> bytes | None:
    """The block of a record; None if it does not end there, nor where its HTTP response says that it ends."""
    response = _response_length(content)
    for size in (length, response):
        if size is None or not content.holds(size) or _record_within(content, size):
            continue
        if size == length == response or _ends_well(content, size):
            return content.take(size)
    return None


def _faulty(fault: Piece, place: Place, sample: bytes, *, is_one: bool) -> Broken:
    assert fault.fault is not None, "a fault has a reason"
    return Broken(place, fault.fault, sample, fault.ends - place.stored, is_one)


def _record_within(content: Content, length: int) -> bool:
    """Whether a member begins with another record before this one should end."""
    return any(begins_record(content.peek(at + TAIL_BYTES)[at:]) for at in content.member_starts(length))


def _ends_well(content: Content, length: int) -> bool:
    """Whether what ends a record, nothing, or another record follows a block."""
    behind = content.peek(length + TAIL_BYTES)[length:]
    following = behind.lstrip(_BLANK)
    return behind.startswith(_RECORD_END) or not following or begins_record(following)


def _response_length(content: Content) -> int | None:
    """The bytes of a block by the header of the HTTP response in it, where that tells them."""
    if content.peek(5) != b"HTTP/":
        return None
    head = content.peek(HEAD_BYTES // 16)
    end = _HEAD_END.search(head)
    said = _HTTP_LENGTH.search(head, 0, end.end()) if end else None
    return end.end() + int(said[1]) if end and said else None


def _skip_to_next(content: Content) -> bool:
    """Stand at the next record, the end or a fault; whether it is a record."""
    if content.begins_member() and begins_record(content.peek(TAIL_BYTES)):
        return True
    while window := content.peek(SEARCH_BYTES):
        found = _NEXT.search(window)
        starts = [at for at in content.member_starts(len(window)) if begins_record(window[at:])]
        places = starts + ([found.start()] if found else [])
        if places:
            content.take(min(places))
            return True
        is_last = len(window) < SEARCH_BYTES
        content.take(len(window) if is_last else len(window) - TAIL_BYTES)
    return False


def _read_head(content: Content) -> Head | None:
    """What the record that begins here says of itself; None if none does."""
    data = content.peek(HEAD_BYTES // 16)
    if not begins_record(data):
        return None
    if not data.startswith(b"WARC/"):
        return _arc_head(data)
    if _HEAD_END.search(data) is None:
        data = content.peek(HEAD_BYTES)
    end = _HEAD_END.search(data)
    return _warc_head(data[: end.start()], end.end()) if end else None


def _warc_head(data: bytes, size: int) -> Head:
    fields = header_fields(data.decode("utf-8", "replace"))
    return Head(fields.get("warc-type", "").lower(), fields, _length(fields.get("content-length", "")), size)


def header_fields(text: str) -> dict[str, str]:
    """The named fields behind the first line of a header; of several by a name, the first."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.split("\n")[1:]:
        if line[:1] in (" ", "\t") and name:
            fields[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            fields.setdefault(name, value.strip())
    return fields


def _arc_head(data: bytes) -> Head | None:
    match = _ARC.match(data)
    if match is None:
        return None
    url, _, date, _, length = (group.decode("utf-8", "replace") for group in match.groups())
    kind = "warcinfo" if url.startswith("filedesc:") else _ARC_TYPE
    fields = {"warc-target-uri": url, "warc-date": date, "content-type": "application/http"}
    return Head(kind, fields, _length(length), match.end())


def _length(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else _NO_LENGTH

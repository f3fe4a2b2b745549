"""How an archive of records is cut into units: at records, without reading all of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from pipelines.sources.base import Unit
from pipelines.sources.compressed import split_compression
from pipelines.sources.listing import InputFile
from pipelines.sources.web.content import Content
from pipelines.sources.web.members import pieces
from pipelines.sources.web.records import Broken, begins_record, read_records

ARCHIVE = "web archive"
CHAIN_BYTES = 1 << 17
"""So many bytes of whole members, one directly behind the other, prove that a cut is none within a member:
what deflate stores as it is, it interrupts every 65,535 bytes (RFC 1951, 3.2.4)."""
SEARCHED_BYTES = 1 << 26
_BLOCK = 1 << 16
_MAGIC = b"\x1f\x8b\x08"


def web_archive_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """Ranges of records of files that are not compressed, or by gzip record by record; others stay whole."""
    compression = split_compression(file.path)[1]
    cuts: list[int] = []
    if file.size > part_bytes and not file.remote:
        try:
            with file.open() as raw:
                if compression is None:
                    cuts = list(_between_records(raw, file.size, part_bytes))
                elif compression.name == "gzip":
                    cuts = list(_between_members(raw, file.size, part_bytes))
        except OSError:
            cuts = []  # reading it will say why
    if not file.size:
        return [Unit(file.path, ARCHIVE, 0, 0, 0, 0, rows=0)]
    edges = [0, *cuts, file.size]
    return [Unit(file.path, ARCHIVE, start, stop, 0, stop - start) for start, stop in pairwise(edges)]


def _between_records(raw: BinaryIO, size: int, part_bytes: int) -> Iterator[int]:
    """Where records begin, about `part_bytes` apart; none behind the first that is broken."""
    content = Content(pieces(raw, None, 0, size, begins_record), size)
    last = 0
    for found in read_records(content, 0):
        if isinstance(found, Broken):
            return
        if found.place.stored - last >= part_bytes:
            last = found.place.stored
            yield last


def _between_members(raw: BinaryIO, size: int, part_bytes: int) -> Iterator[int]:
    """Where members that begin with a record begin, about `part_bytes` apart."""
    target = part_bytes
    while target < size - CHAIN_BYTES:
        cut = _next_member(raw, target, min(size, target + SEARCHED_BYTES))
        if cut is None:
            target += SEARCHED_BYTES
            continue
        yield cut
        target = cut + part_bytes


def _next_member(raw: BinaryIO, start: int, stop: int) -> int | None:
    while start < stop:
        raw.seek(start)
        block = raw.read(_BLOCK)
        if len(block) < len(_MAGIC):
            return None
        at = block.find(_MAGIC)
        while at >= 0:
            if _is_a_chain(raw, start + at):
                return start + at
            at = block.find(_MAGIC, at + 1)
        start += len(block) - len(_MAGIC) + 1
    return None


def _is_a_chain(raw: BinaryIO, start: int) -> bool:
    """Whether whole members that begin with records follow one another from here on."""
    raw.seek(start)
    held, position = b"", start
    while position - start < CHAIN_BYTES:
        member, first = zlib.decompressobj(wbits=31), b""
        try:
            while not member.eof:
                held = held or raw.read(_BLOCK)
                if not held:
                    return False
                data = member.decompress(held, _BLOCK)
                left = member.unused_data if member.eof else member.unconsumed_tail
                position += len(held) - len(left)
                held = left
                if not first and not begins_record(first := data):
                    return False
        except zlib.error:
            return False
    return True

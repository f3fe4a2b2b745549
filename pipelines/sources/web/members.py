"""The content of an archive of records, piece by piece, each with its place in the file.

Archives are mostly compressed record by record: each is a gzip member or a zstd frame of its own. Where one
is corrupt, reading goes on at the next that begins with a record.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import zstandard

from pipelines.sources.base import Reason
from pipelines.sources.compressed import MAX_WINDOW, Compression, Decompressed

BLOCK_BYTES = 1 << 16
GZIP_BLOCK_BYTES = 1 << 13
PROBE_BYTES = 1 << 14
"""Of a member that may begin with a record so much is decompressed to see whether it does."""
DICTIONARY_BYTES = 1 << 24
"""A longer dictionary is not read."""

_DICTIONARY_FRAME = b"\x5d\x2a\x4d\x18"


class Piece(NamedTuple):
    """Some of the content, or a fault."""

    data: bytes
    begins: int
    """Where in the file its member begins; of a file that is not compressed, where the piece does."""
    ends: int
    """How much of the file has been read behind it."""
    fault: Reason | None = None
    """Why nothing is to be had of the file between `begins` and `ends`."""


@dataclass(frozen=True)
class _Members:
    magic: bytes
    open: Callable[[], Any]
    truncated: Reason
    corrupt: Reason
    block: int
    """Bytes that one is given at a time, few enough that what comes of them at worst fits into memory."""
    padding: bytes = b""


def pieces(
    raw: BinaryIO,
    compression: Compression | None,
    start: int,
    stop: int,
    begins_record: Callable[[bytes], bool],
) -> Iterator[Piece]:
    """The content from byte `start` of the file on, up to `stop` where it can be cut there."""
    raw.seek(start)
    if compression is None:
        return _plain(raw, start, stop)
    if compression.name == "gzip":
        members = _Members(
            b"\x1f\x8b\x08",
            lambda: zlib.decompressobj(wbits=31),
            Reason.TRUNCATED_GZIP,
            Reason.CORRUPT_GZIP,
            GZIP_BLOCK_BYTES,
            compression.padding,
        )
        return _Reader(raw, members, begins_record, stop).pieces()
    if compression.name == "zstd":
        return _Reader(raw, _zstd_frames(raw, compression), begins_record, stop).pieces()
    return _stream(raw, compression)


def _plain(raw: BinaryIO, start: int, stop: int) -> Iterator[Piece]:
    while start < stop and (data := raw.read(min(BLOCK_BYTES, stop - start))):
        yield Piece(data, start, start + len(data))
        start += len(data)


def _stream(raw: BinaryIO, compression: Compression) -> Iterator[Piece]:
    """A compression that is not used record by record."""
    stream = Decompressed(raw, compression)
    while data := stream.read(BLOCK_BYTES):
        yield Piece(data, 0, stream.consumed)
    if stream.broken:
        yield Piece(b"", 0, stream.consumed, stream.broken)


def _zstd_frames(raw: BinaryIO, compression: Compression) -> _Members:
    """Frames, and the dictionary that the first of them may hold (IIPC, WARC compressed with Zstandard)."""
    begin = raw.tell()
    raw.seek(0)
    head = raw.read(8)
    size = int.from_bytes(head[4:], "little")
    dictionary = None
    if head[:4] == _DICTIONARY_FRAME and size <= DICTIONARY_BYTES:
        content = raw.read(size)
        if content.startswith(zstandard.FRAME_HEADER):
            content = zstandard.ZstdDecompressor().decompress(content, max_output_size=DICTIONARY_BYTES)
        dictionary = zstandard.ZstdCompressionDict(content)
        begin = max(begin, 8 + size)
    raw.seek(begin)

    def frame() -> Any:
        return zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=MAX_WINDOW).decompressobj()

    reasons = Reason.TRUNCATED_ZSTD, Reason.CORRUPT_ZSTD
    return _Members(zstandard.FRAME_HEADER, frame, *reasons, compression.block)


class _Reader:
    """Reads members one after another."""

    def __init__(
        self,
        raw: BinaryIO,
        members: _Members,
        begins_record: Callable[[bytes], bool],
        stop: int,
    ) -> None:
        self._raw = raw
        self._members = members
        self._begins_record = begins_record
        self._stop = stop
        self._held = b""  # read, and not yet given to a member
        self._position = raw.tell()  # where that begins in the file

    def pieces(self) -> Iterator[Piece]:
        while True:
            self._skip_padding()
            if self._position >= self._stop or not self._held:
                return
            yield from self._member()

    def _skip_padding(self) -> None:
        while True:
            kept = self._held.lstrip(self._members.padding) if self._members.padding else self._held
            self._position += len(self._held) - len(kept)
            self._held = kept
            if kept or not self._more():
                return

    def _more(self) -> bool:
        block = self._raw.read(BLOCK_BYTES)
        self._held += block
        return bool(block)

    def _member(self) -> Iterator[Piece]:
        begins = self._position
        member = self._members.open()
        try:
            while not member.eof:
                if not self._held and not self._more():
                    yield Piece(b"", begins, self._position, self._members.truncated)
                    return
                given = self._held[: self._members.block]
                data = member.decompress(given)
                left = len(member.unused_data) if member.eof else 0
                self._held = self._held[len(given) - left :]
                self._position += len(given) - left
                yield Piece(data, begins, self._position)
        except (zlib.error, zstandard.ZstdError):
            self._find_next(begins)
            yield Piece(b"", begins, self._position, self._members.corrupt)

    def _find_next(self, begins: int) -> None:
        """Stand at the next member that begins with a record, or at the end."""
        self._raw.seek(begins + 1)
        self._held, self._position = b"", begins + 1
        while True:
            at = self._held.find(self._members.magic)
            if at < 0:
                kept = min(len(self._held), len(self._members.magic) - 1)
                self._position += len(self._held) - kept
                self._held = self._held[len(self._held) - kept :]
                if not self._more():
                    self._position += len(self._held)
                    self._held = b""
                    return
                continue
            self._position += at
            self._held = self._held[at:]
            if len(self._held) < PROBE_BYTES:
                self._more()
            if self._begins_record(self._probe()):
                return
            self._held = self._held[1:]
            self._position += 1

    def _probe(self) -> bytes:
        try:
            return bytes(self._members.open().decompress(self._held[:PROBE_BYTES]))
        except (zlib.error, zstandard.ZstdError):
            return b""

"""Compressed input as a stream that says where and how it broke, after giving out all that came before."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

from pipelines.sources.base import Reason, Unit
from pipelines.sources.listing import InputFile

MAX_WINDOW = 1 << 31
"""Memory that a stream may ask for to look back on what it has said: as much as `zstd --long=31` uses."""

TRUNCATED = (Reason.TRUNCATED_GZIP, Reason.TRUNCATED_ZSTD, Reason.TRUNCATED_XZ, Reason.TRUNCATED_BZIP2)
_OUTPUT = 1 << 20
_BROKEN = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError)


@dataclass(frozen=True)
class Compression:
    """A kind of compressed file: a sequence of members, each of which is decompressed on its own."""

    name: str
    member: Callable[[], Any]
    block: int
    """Bytes fed at a time, few enough that what comes of them at worst fits into memory."""
    limit: tuple[int, ...] = ()
    """Bytes taken out at a time, where the decompressor keeps the rest."""
    padding: bytes = b""
    """What may stand between members and behind the last."""


COMPRESSIONS: dict[str, Compression] = {
    ".gz": Compression("gzip", lambda: zlib.decompressobj(wbits=31), 1 << 16, padding=b"\0"),
    # A zstd block of 4 bytes may stand for 128 KiB.
    ".zst": Compression(
        "zstd", lambda: zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj(), 1 << 11
    ),
    ".xz": Compression(
        "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_WINDOW), 1 << 16, (_OUTPUT,), b"\0"
    ),
    ".bz2": Compression("bzip2", bz2.BZ2Decompressor, 1 << 16, (_OUTPUT,)),
}
"""By suffix."""

SHORT_SUFFIXES = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz", ".tzst": ".tar.zst"}

MAX_RATIO = 200
"""An archive that becomes more than so many times its size is a bomb.

Text becomes 3 to 20 times smaller, logs at best 100 times; the zeros of a bomb more than 1,000 times.
"""
FREE_BYTES = 64 << 20
"""So much may come of the smallest archive: what repeats itself a lot compresses well."""


class Budget:
    """How much may come of an archive in all, however it is packed within."""

    def __init__(self, stored: int) -> None:
        self.left = stored * MAX_RATIO + FREE_BYTES

    def take(self, size: int) -> bool:
        """Take `size` bytes of it; False if there is not so much left."""
        self.left -= size
        return self.left >= 0


def split_compression(path: str) -> tuple[str, Compression | None]:
    """A path in lower case without the suffix that says how it is compressed, and how it is."""
    name = path.lower()
    for short, long in SHORT_SUFFIXES.items():
        if name.endswith(short):
            name = name.removesuffix(short) + long
    for suffix, compression in COMPRESSIONS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), compression
    return name, None


class Stream(Protocol):
    """What can be read from front to back."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        ...


class BreakableStream:
    """What may end before its end."""

    broken: Reason | None = None
    """How it did."""
    rate: float = 1.0
    """Bytes of the file for each byte that was read."""
    budget: Budget | None = None
    """What may come of it, where that is bounded."""


class Decompressed(BreakableStream):
    """The uncompressed bytes of a stream; `broken` tells if it ended before its end, and how.

    So far the first `consumed` bytes of the file have become `produced` bytes, some of them perhaps unread.
    """

    def __init__(self, compressed: Stream, compression: Compression) -> None:
        self._compressed = compressed
        self._compression = compression
        self._waiting = b""  # bytes of the file that no member has taken yet
        self._ready = bytearray()
        self._member: Any = None
        self.consumed = 0
        self.produced = 0
        self.budget = compressed.budget if isinstance(compressed, BreakableStream) else None

    @property
    def rate(self) -> float:  # type: ignore[override]
        """Bytes of the file for each byte that was read."""
        return self.consumed / max(1, self.produced)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end or where the stream is broken."""
        while len(self._ready) < size and self._advance():
            pass
        data = bytes(memoryview(self._ready)[:size])
        del self._ready[:size]
        return data

    def readline(self, size: int = -1, /) -> bytes:
        """A line with its newline, or its first `size` bytes; empty at the end or where it is broken."""
        searched = 0
        while (end := self._ready.find(b"\n", searched) + 1) == 0:
            searched = len(self._ready)
            if 0 <= size <= searched or not self._advance():
                end = searched
                break
        return self.read(end if size < 0 else min(size, end))

    def _advance(self) -> bool:
        """Decompress some more; False at the end or where the stream is broken."""
        if self.broken is not None:
            return False
        hungry = self._member is None or getattr(self._member, "needs_input", True)
        if hungry and not self._waiting:
            self._waiting = self._compressed.read(self._compression.block)
            self.consumed += len(self._waiting)
            if not self._waiting:
                if self._member is not None:
                    self.broken = Reason(f"truncated {self._compression.name}")
                return False
        try:
            self._decompress()
        except _BROKEN:
            self.broken = Reason(f"corrupt {self._compression.name}")
        return True

    def _decompress(self) -> None:
        if self._member is None:
            self._waiting = self._waiting.lstrip(self._compression.padding)
            if not self._waiting:
                return
            self._member = self._compression.member()
        data = self._member.decompress(self._waiting, *self._compression.limit)
        self._waiting = b""
        self._ready += data
        self.produced += len(data)
        if self.budget is not None and not self.budget.take(len(data)):
            self.broken = Reason.BOMB
        if self._member.eof:
            self._waiting = self._member.unused_data
            self._member = None


@contextmanager
def open_stream(file: InputFile, start: int = 0) -> Iterator[Stream]:
    """The (uncompressed) bytes of a file, from byte `start` on if it is not compressed."""
    compression = split_compression(file.path)[1]
    with file.open() as raw:
        if compression is not None:
            yield Decompressed(raw, compression)
        else:
            raw.seek(start)
            yield raw


def broken(stream: Stream) -> Reason | None:
    """How a stream ended before its end, if it did."""
    return stream.broken if isinstance(stream, BreakableStream) else None


def stored_rate(stream: Stream) -> float:
    """Bytes of the file for each byte of its content; 1 where it is not compressed."""
    return stream.rate if isinstance(stream, BreakableStream) else 1.0


def lost_behind(stream: Stream, unit: Unit, position: int) -> int:
    """What is lost of a unit whose stream is broken, if its content up to `position` is good."""
    if broken(stream) in TRUNCATED:
        return unit.whole_file
    return max(0, unit.bytes - int(position * stored_rate(stream)))

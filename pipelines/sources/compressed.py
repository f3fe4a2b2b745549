"""Compressed input as a stream that says where and how it broke, after giving out all that came before."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pipelines.sources.base import Reason
from pipelines.sources.listing import InputFile

SUFFIXES = (".gz", ".zst")

_GZIP_BLOCK = 1 << 16
_ZSTD_BLOCK = 1 << 13  # a zstd block of 4 bytes may stand for 128 KiB, so little is fed at a time


class Stream(Protocol):
    """What can be read from front to back."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        ...


class Decompressed:
    """The uncompressed bytes of a .gz or .zst stream; `broken` tells if it ended before its end, and how."""

    def __init__(self, compressed: Stream, kind: str) -> None:
        self._compressed = compressed
        self._gzip = kind == "gz"
        self._block = _GZIP_BLOCK if self._gzip else _ZSTD_BLOCK
        self._ready = bytearray()
        self._member: Any = None
        self.broken: Reason | None = None

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end or where the stream is broken."""
        while len(self._ready) < size and self.broken is None:
            block = self._compressed.read(self._block)
            if not block:
                if self._member is not None:
                    self.broken = Reason.TRUNCATED_GZIP if self._gzip else Reason.TRUNCATED_ZSTD
                break
            self._feed(block)
        data = bytes(memoryview(self._ready)[:size])
        del self._ready[:size]
        return data

    def _feed(self, block: bytes) -> None:
        import zstandard

        while block:
            if self._member is None:
                block = block.lstrip(b"\0") if self._gzip else block  # gzip files may be padded with zeros
                if not block:
                    return
                self._member = (
                    zlib.decompressobj(wbits=31)
                    if self._gzip
                    else zstandard.ZstdDecompressor().decompressobj()
                )
            try:
                self._ready += self._member.decompress(block)
            except (zlib.error, zstandard.ZstdError):
                self.broken = Reason.CORRUPT_GZIP if self._gzip else Reason.CORRUPT_ZSTD
                return
            if not self._member.eof:
                return
            block = self._member.unused_data
            self._member = None


@contextmanager
def open_stream(file: InputFile, start: int = 0) -> Iterator[Stream]:
    """The (uncompressed) bytes of a file, from byte `start` on if it is not compressed."""
    with file.open() as raw:
        if file.path.endswith(SUFFIXES):
            yield Decompressed(raw, file.path.rpartition(".")[2])
        else:
            raw.seek(start)
            yield raw

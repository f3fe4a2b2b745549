"""The bytes of a member, read from within its archive."""

from __future__ import annotations

import io
import zlib
from types import TracebackType
from typing import BinaryIO, Self

from typing_extensions import override

from pipelines.sources.archives.limits import REREAD_BYTES
from pipelines.sources.base import Reason
from pipelines.sources.compressed import BreakableStream, Budget, Stream, broken, stored_rate


class Archive(io.RawIOBase):
    """The file itself, which remembers why it could not be read."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.failure: OSError | None = None

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, position: int, whence: int = 0, /) -> int:
        return self._raw.seek(position, whence)

    @override
    def tell(self) -> int:
        return self._raw.tell()

    @override
    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._raw.read(size)
        except OSError as error:
            self.failure = error
            raise


class Section(io.RawIOBase):
    """A range of the bytes of a file, as a file."""

    def __init__(self, raw: Archive, start: int, size: int) -> None:
        self._raw = raw
        self._start = start
        self._size = size
        self._position = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, position: int, whence: int = 0, /) -> int:
        self._position = max(0, position + (0, self._position, self._size)[whence])
        return self._position

    @override
    def tell(self) -> int:
        return self._position

    @override
    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._position)
        self._raw.seek(self._start + self._position)
        data = self._raw.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data

    @override
    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Restartable(BreakableStream):
    """A stream that can be read again from its beginning, as long as little of it was read."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = self._size = size
        self._head = b""
        self._position = 0

    @property
    def read_bytes(self) -> int:
        """So many were taken from the stream."""
        return self._size - self._left

    def restart(self) -> None:
        """Go back to the beginning. Raises OSError where too much was read for that."""
        if self.read_bytes > len(self._head):
            raise OSError("a member of a compressed tar file can be read once only")
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end, or where the archive is broken."""
        known = self._head[self._position : self._position + size]
        fresh = self._stream.read(min(size - len(known), self._left)) if size > len(known) else b""
        self._left -= len(fresh)
        if self._position + len(known) == len(self._head) < REREAD_BYTES:
            self._head = (self._head + fresh)[:REREAD_BYTES]
        self._position += len(known) + len(fresh)
        self.rate = stored_rate(self._stream)
        self.broken = broken(self._stream)
        return known + fresh

    def skip(self) -> None:
        """Read on to the end."""
        while self._left and (data := self._stream.read(min(self._left, 1 << 20))):
            self._left -= len(data)


class Member(BreakableStream):
    """The content of a member: no more than its header says, and broken where it is not that.

    Args:
        stream: What holds it.
        size: The bytes that it should have.
        truncated, corrupt: How it is broken where it has fewer, or others.
        budget: Of what may come of the archive, for what is compressed once more.
        checksum: Its CRC-32, if it has one.
    """

    def __init__(
        self,
        stream: Stream,
        size: int,
        truncated: Reason,
        corrupt: Reason,
        budget: Budget,
        checksum: int | None = None,
    ) -> None:
        self._stream = stream
        self._left = size
        self._truncated = truncated
        self._corrupt = corrupt
        self._checksum = checksum
        self._found = 0
        self.budget = budget

    @property
    def section(self) -> Section | None:
        """Where it lies in the archive, if it is stored as it is and the archive can be read anywhere."""
        return self._stream if isinstance(self._stream, Section) else None

    def __enter__(self) -> Self:
        """The archive is opened and closed elsewhere."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The archive is opened and closed elsewhere."""

    def close(self) -> None:
        """The archive is opened and closed elsewhere."""

    def seek(self, position: int, /) -> int:
        """Nowhere but to the beginning, where it stands."""
        assert position == 0, "members are read from front to back"
        return position

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end or where it is broken."""
        if self.broken is not None:
            return b""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted) if wanted else b""
        self.rate = stored_rate(self._stream)
        self._left -= len(data)
        self._found = zlib.crc32(data, self._found)
        if len(data) < wanted:
            self.broken = broken(self._stream) or self._truncated
        elif self._left == 0 and self._checksum is not None and wanted:
            self._check()
        return data

    def _check(self) -> None:
        if self._found != self._checksum or self._stream.read(1):
            self.broken = self._corrupt

"""A remote file that is read on where a connection broke."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from typing_extensions import override

from pipelines.sources.remote.attempts import Changed, persistently
from pipelines.sources.remote.cache import BlobCache, cache_folder, cache_size
from pipelines.sources.remote.http import HttpFile, is_http
from pipelines.sources.remote.hub_file import HubFile, is_on_hub
from pipelines.sources.remote.origin import ObjectFile, Origin, State
from pipelines.sources.remote.secrets import masked

FIRST_BYTES = 64 << 10
"""Fetched at least, after a seek."""
MOST_BYTES = 8 << 20
"""Fetched at a time, once a file is read from front to back, and held."""
KEPT_ENDS = "file-ends"
"""The cache of ends of files: every unit of a Parquet file begins with reading its footer."""


def origin_of(url: str) -> Origin:
    """Where the bytes of a URL come from. Raises UserError where nothing reads it."""
    if is_http(url):
        return HttpFile(url)
    return HubFile(url) if is_on_hub(url) else ObjectFile(url)


def open_remote(url: str, version: str | None = None) -> BinaryIO:
    """Open a file elsewhere; a `version` that was listed must still be there.

    Raises:
        OSError: It is not there, or may not be read.
        UserError: Nothing reads such URLs.
        WorkError: It cannot be reached, or has changed.
    """
    return cast(BinaryIO, io.BufferedReader(RemoteFile(url, version), 1 << 18))


def remote_state(url: str) -> State:
    """Size and tag of a file elsewhere. Raises the same."""
    origin = origin_of(url)
    try:
        return persistently(origin.state, url)
    finally:
        origin.close()


def read_range(origin: Origin, url: str, start: int, stop: int) -> bytes:
    """These bytes of a file; what has come when an answer breaks off is kept. Raises the same."""
    received = bytearray()

    def go_on() -> None:
        for piece in origin.read(start + len(received), stop):
            received.extend(piece)

    persistently(go_on, url, lambda: len(received))
    return bytes(received)


class RemoteFile(io.RawIOBase):
    """Reads by blocks that grow while they follow one another; where one breaks off it is read on."""

    def __init__(self, url: str, version: str | None = None) -> None:
        super().__init__()
        self._url = url
        self._origin = origin_of(url)
        self._position = 0
        self._block = b""
        self._begin = 0
        try:
            self._state = persistently(self._origin.state, url)
        except FileNotFoundError:
            if version is not None:
                raise Changed(file=masked(url)) from None
            raise
        if version not in (None, self._state.tag):
            raise Changed(file=masked(url))
        self._ends = BlobCache(cache_folder() / KEPT_ENDS, cache_size())

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._position

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._state.size}[whence]
        if start + offset < 0:
            raise ValueError(f"there is nothing {-(start + offset)} bytes before the beginning of a file")
        self._position = start + offset
        return self._position

    @override
    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._position >= self._state.size or not len(buffer):
            return 0
        inside = self._position - self._begin
        if not 0 <= inside < len(self._block):
            self._fetch(len(buffer))
            inside = 0
        piece = self._block[inside : inside + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _fetch(self, wanted: int) -> None:
        """Fetch the block that begins here: twice as large as the last one, if it follows that."""
        goes_on = self._block and self._position == self._begin + len(self._block)
        ahead = 2 * len(self._block) if goes_on else FIRST_BYTES
        size = min(max(wanted, ahead), MOST_BYTES)
        start, stop = self._position, min(self._position + size, self._state.size)
        self._block = b""  # only one is held
        is_end = stop == self._state.size and not goes_on and self._state.is_tagged
        self._block = self._kept_end(start) if is_end else self._fetched(start, stop)
        self._begin = start

    def _kept_end(self, start: int) -> bytes:
        """The end of the file, from the cache if it is there."""
        key = f"{self._url} {self._state} {start}"
        end = self._ends.get(key)
        if end is None or len(end) != self._state.size - start:
            end = self._fetched(start, self._state.size)
            self._ends.put(key, end)
        return end

    def _fetched(self, start: int, stop: int) -> bytes:
        return read_range(self._origin, self._url, start, stop)

    @override
    def close(self) -> None:
        if not self.closed:
            self._origin.close()
        super().close()

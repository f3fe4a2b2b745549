"""Where the bytes of a remote file come from: any file system of fsspec, or an HTTP server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources.remote.attempts import Changed, PassingError, translated
from pipelines.sources.remote.secrets import masked, require_no_secret, with_variables

_TAGS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created", "blob_id")
_EXTRAS = {"s3": "'coupage[s3]'", "s3a": "'coupage[s3]'", "gs": "gcsfs", "gcs": "gcsfs"}
_EXTRAS |= {"abfs": "adlfs", "abfss": "adlfs", "az": "adlfs", "sftp": "paramiko", "ssh": "paramiko"}

ONE_TRY: dict[str, Any] = {
    "config_kwargs": {"retries": {"total_max_attempts": 1, "mode": "standard"}, "connect_timeout": 3}
}
"""For s3fs. What is read is asked for again by us; a library that repeats as well multiplies the waits."""
LEAST_BYTES = 1000
"""Asked for at a time, of a server that breaks off more."""
MOST_BYTES = 8 << 20
SHRINKS = 16
"""So many times with each failure: the attempts lead from the most to the least."""
GROWS_AFTER = 16
"""Ranges that came whole, since the last that did not."""


class State(NamedTuple):
    """What a server says of a file without giving it."""

    size: int
    tag: str
    """Changes with the content as far as the server knows; of one that has no tags, the size in words."""

    @property
    def is_tagged(self) -> bool:
        """Whether the server has tags."""
        return self.tag != untagged(self.size)


def untagged(size: int) -> str:
    """What stands in the place of a tag where a server has none."""
    return f"{size} bytes"


class Origin(Protocol):
    """One file elsewhere."""

    def state(self) -> State:
        """Its size and tag now. Raises PassingError, OSError, UserError or WorkError."""
        ...

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """These bytes of the file in the state that it told first, in pieces.

        Raises the same, and Changed; the pieces before a PassingError hold.
        """
        ...

    def close(self) -> None:
        """Let go of connections; another `read` opens new ones."""
        ...


def tag_of(info: dict[str, Any]) -> str | None:
    """The tag in what a file system says of a file."""
    tag = next((info[name] for name in _TAGS if info.get(name)), None)
    return str(tag.timestamp() if isinstance(tag, datetime) else tag) if tag is not None else None


def state_of(info: dict[str, Any], url: str) -> State:
    """Size and tag in what a file system says of a file. Raises UserError where it tells no size."""
    size = info["size"]
    if size is None:
        hint = "Download it and give its path."
        raise UserError("its server does not tell its size", file=masked(url), hint=hint)
    return State(size, tag_of(info) or untagged(size))


def file_system(url: str, is_written: bool = False) -> tuple[Any, str]:
    """What opens a URL, and the path in that; where `is_written`, it repeats failed parts by itself.

    Raises:
        UserError: There is a secret in the URL, nothing reads its kind, or what does is not installed.
        PassingError: It connects at once, and could not.
    """
    import fsspec

    require_no_secret(url)
    protocol = url.partition("://")[0]
    if "::" in protocol:
        raise UserError(
            "addresses of several parts are not read",
            file=masked(url),
            hint="Give the file itself; archives and compressed files are opened by their suffix.",
        )
    try:
        is_once = protocol in ("s3", "s3a") and not is_written
        system, path = fsspec.core.url_to_fs(with_variables(url), **(ONE_TRY if is_once else {}))
        if is_once:
            system.retries = 1
    except ImportError as error:
        package = _EXTRAS.get(protocol)
        hint = f"pip install {package}" if package else f"Install what fsspec reads {protocol}:// with."
        raise UserError(f"{protocol}:// needs a package: {error}", file=masked(url), hint=hint) from error
    except ValueError as error:
        hint = (
            "Paths are local, or begin with s3://, gs://, hf://, https:// or another kind that fsspec knows."
        )
        raise UserError(f"nothing reads {protocol}://: {error}", file=masked(url), hint=hint) from error
    except Exception as error:  # of file systems that connect at once
        raise translated(error, url) from error
    return system, path


def forget(system: Any, path: str) -> None:
    """Have a file system ask its server anew; of a hub's commit nothing can have changed."""
    if system.protocol != "hf" or "@" not in path:
        system.invalidate_cache(system._parent(path))


class ObjectFile(Origin):
    """A file on a file system of fsspec, read by ranges.

    Of a range that breaks off nothing is seen, so smaller ones are asked for until they come whole.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._handle: Any = None
        self._first: State | None = None
        self._has_failed = False
        self._size = MOST_BYTES
        """Of the ranges that are asked for."""
        self._whole = 0
        """Ranges of this size that came in a row."""

    @override
    def state(self) -> State:
        system, path = self._opened()
        try:
            forget(system, path)
            state = state_of(system.info(path), self._url)
        except Exception as error:
            raise translated(error, self._url) from error
        self._first = self._first or state
        return state

    @override
    def read(self, start: int, stop: int) -> Iterator[bytes]:
        if self._has_failed and self.state() != self._first:
            raise Changed(file=masked(self._url))
        while start < stop:
            end = min(start + self._size, stop)
            self._has_failed = True
            try:
                data = self._read(start, end)
            except PassingError:
                self._size, self._whole = max((end - start) // SHRINKS, LEAST_BYTES), 0
                raise
            self._has_failed = False
            yield data
            start = end
            self._whole += 1
            if self._whole == GROWS_AFTER:
                self._size, self._whole = min(2 * self._size, MOST_BYTES), 0

    def _opened(self) -> tuple[Any, str]:
        """What opens it, and its path there."""
        return file_system(self._url)

    def _read(self, start: int, stop: int) -> bytes:
        system, path = self._opened()
        try:
            if self._handle is None:
                self._handle = system.open(path, "rb", cache_type="none")
            self._handle.seek(start)
            data = bytes(self._handle.read(stop - start))
        except Exception as error:
            self.close()
            raise translated(error, self._url) from error
        if len(data) != stop - start:
            raise PassingError(
                f"the server was asked for {stop - start:,} bytes from {start:,} on, and sent {len(data):,}"
            )
        return data

    @override
    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(Exception):  # of what has failed before
                handle.close()

"""Which files a URL, a folder or a glob elsewhere stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipelines.errors import UserError
from pipelines.sources.remote.attempts import persistently, translated
from pipelines.sources.remote.file import remote_state
from pipelines.sources.remote.http import file_name, is_http
from pipelines.sources.remote.origin import file_system, forget, state_of
from pipelines.sources.remote.secrets import masked

_MAGIC = frozenset("*?[")
_WITH_HOST = ("http", "https", "sftp", "ssh", "ftp")
"""Kinds of URLs that begin with a host, and not with a bucket."""
EVERYTHING = ["**", "*"]
"""What is matched below a folder."""


class FoundFile(NamedTuple):
    """A file elsewhere: its path below the root, its URL, its size and its tag."""

    path: str
    url: str
    size: int
    version: str


def is_remote(path: str) -> bool:
    """Whether a path is a URL such as s3://bucket/folder."""
    return "://" in path


def server_of(url: str) -> str:
    """Who is asked for a URL: of stores whose address is set elsewhere, the kind of store alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc if parts.scheme in _WITH_HOST else ''}"


def split_url(pattern: str) -> tuple[str, list[str]]:
    """The folder that a pattern's files lie below, and what is matched there, name by name.

    Raises:
        UserError: Nothing reads such URLs.
        WorkError: The server cannot be asked.
    """
    if is_http(pattern):
        return pattern, [file_name(pattern)]
    names = pattern.rstrip("/").split("/")
    fixed = next((index for index, name in enumerate(names) if _MAGIC & set(name)), None)
    if fixed is not None and not _is_literal(pattern):
        return "/".join(names[:fixed]), names[fixed:]
    if _asked(pattern, "isdir"):
        return pattern.rstrip("/"), EVERYTHING
    return "/".join(names[:-1]), names[-1:]


def url_below(pattern: str, path: str) -> str:
    """The URL of a file that a pattern stands for, by its path."""
    return pattern if is_http(pattern) else f"{split_url(pattern)[0]}/{path}"


def find_remote(pattern: str) -> Iterator[FoundFile]:
    """The files that a URL stands for; hidden ones are none.

    Raises:
        UserError: A server does not tell a size, or does not list its files.
        WorkError: The server cannot be asked.
    """
    if is_http(pattern):
        yield from _find_http(pattern)
        return
    root, names = split_url(pattern)
    whole = "/".join([root, *names])
    if names == EVERYTHING:
        found = _asked(root, "find", detail=True)
    elif _is_literal(whole):
        found = {whole: _asked(whole, "info")} if _asked(whole, "exists") else {}
    else:
        found = _asked(whole, "glob", detail=True)
    system, inside = file_system(root)
    for name, info in found.items():
        path = str(system._strip_protocol(name)).removeprefix(inside.rstrip("/")).lstrip("/")
        if info["type"] != "file" or any(part.startswith(".") for part in PurePosixPath(path).parts):
            continue
        url = f"{root}/{path}"
        yield FoundFile(path, url, *state_of(info, url))


def _find_http(url: str) -> Iterator[FoundFile]:
    if not (name := file_name(url)) or "*" in name:
        raise UserError(
            "HTTP servers do not list their files",
            file=masked(url),
            hint="Give the address of one file; folders and globs are for object stores such as s3://.",
        )
    try:
        yield FoundFile(name, url, *remote_state(url))
    except FileNotFoundError:
        return


def _is_literal(pattern: str) -> bool:
    """Whether a URL stands for itself: it has no magic, or brackets only and is there as it is written."""
    magic = _MAGIC & set(pattern)
    return not magic or (magic == {"["} and bool(_asked(pattern, "exists")))


def _asked(url: str, question: str, **options: Any) -> Any:
    """What a file system says of a URL now."""

    def ask() -> Any:
        system, path = file_system(url)
        forget(system, path)
        try:
            return getattr(system, question)(path, **options)
        except Exception as error:
            raise translated(error, url) from error

    return persistently(ask, url)

"""Which files a path, a folder or a glob stands for, here or on a remote file system."""

import fnmatch
import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from pipelines.errors import UserError

_MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class InputFile:
    """A file of a source: what it is called there, and where it lies."""

    path: str
    """Relative to the source's root, with forward slashes."""
    location: str
    """Path on this machine, or URL."""
    size: int
    version: str | None = None
    """The hash of its content, once that is known, or the remote file system's tag."""
    denied: bool = False
    """A folder that could not be listed."""

    @property
    def remote(self) -> bool:
        """Whether the location is a URL."""
        return is_remote(self.location)

    def open(self) -> BinaryIO:
        """Open for reading; OSError where that fails."""
        if not self.remote:
            return open(self.location, "rb")
        return cast(BinaryIO, _filesystem(self.location).open(self.location, "rb"))


def is_remote(path: str) -> bool:
    """Whether a path is a URL such as s3://bucket/folder."""
    return "://" in path


def list_files(pattern: str) -> list[InputFile]:
    """Files that a file's path, a folder's path (with all below it) or a glob stands for, sorted by path.

    `*`, `?` and `[...]` match within a name, `**` any number of folders; names that begin with a dot match
    only if the pattern's do. A folder that may not be listed is returned as `denied`.

    Raises:
        UserError: nothing is there; names what is.
    """
    files = sorted(
        _list_remote(pattern) if is_remote(pattern) else _list_local(pattern), key=lambda file: file.path
    )
    if not files:
        raise UserError(f"{pattern}: no file matches", hint=_nearest(pattern))
    return files


def root_of(pattern: str) -> str:
    """The folder that the paths of a pattern's files are relative to."""
    return _split_pattern(pattern)[0]


def _split_pattern(pattern: str) -> tuple[str, list[str]]:
    """A pattern's root folder and what is matched below it, name by name."""
    names = pattern.rstrip("/").split("/")
    fixed = next((index for index, name in enumerate(names) if _MAGIC & set(name)), None)
    if fixed is not None:
        return "/".join(names[:fixed]) or ("/" if pattern.startswith("/") else "."), names[fixed:]
    is_folder = _filesystem(pattern).isdir(pattern) if is_remote(pattern) else os.path.isdir(pattern)
    if is_folder:
        return pattern.rstrip("/") or "/", ["**", "*"]
    return "/".join(names[:-1]) or ".", names[-1:]


def _list_local(pattern: str) -> Iterator[InputFile]:
    root, names = _split_pattern(pattern)
    if os.path.isdir(root):
        yield from {file.path: file for file in _match(root, "", names)}.values()


def _match(root: str, folder: str, names: list[str]) -> Iterator[InputFile]:
    """Files below root/folder whose path matches `names`."""
    name, rest = names[0], names[1:]
    if not _MAGIC & set(name):
        path = f"{folder}/{name}" if folder else name
        location = os.path.join(root, path)
        if rest:
            yield from _match(root, path, rest) if os.path.isdir(location) else ()
        elif os.path.isfile(location):
            state = os.stat(location)
            yield InputFile(path, location, state.st_size)
        return
    try:
        entries = list(os.scandir(os.path.join(root, folder)))
    except PermissionError:
        yield InputFile(folder or ".", os.path.join(root, folder), 0, denied=True)
        return
    if name == "**":
        yield from _match(root, folder, rest or ["*"])
    for entry in entries:
        if not _matches(entry.name, "*" if name == "**" else name):
            continue
        path = f"{folder}/{entry.name}" if folder else entry.name
        if name == "**":
            if entry.is_dir(follow_symlinks=False):
                yield from _match(root, path, names)
        elif rest:
            if entry.is_dir():
                yield from _match(root, path, rest)
        elif entry.is_file():
            state = entry.stat()
            yield InputFile(path, entry.path, state.st_size)


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))


def _list_remote(pattern: str) -> Iterator[InputFile]:
    filesystem = _filesystem(pattern)
    root, names = _split_pattern(pattern)
    if names == ["**", "*"]:
        found = filesystem.find(root, detail=True)
    elif _MAGIC & set(pattern):
        found = filesystem.glob(pattern, detail=True)
    else:
        found = {pattern: filesystem.info(pattern)} if filesystem.exists(pattern) else {}
    inside = str(filesystem._strip_protocol(root)).rstrip("/")
    for name, info in found.items():
        path = str(filesystem._strip_protocol(name)).removeprefix(inside).lstrip("/")
        if info["type"] != "file" or any(part.startswith(".") for part in PurePosixPath(path).parts):
            continue
        if info["size"] is None:
            raise UserError(
                f"{name}: its server does not tell its size", hint="Download it and give its path."
            )
        yield InputFile(path, filesystem.unstrip_protocol(name), info["size"], _remote_version(info))


def _remote_version(info: dict[str, Any]) -> str | None:
    names = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
    return next((str(info[name]) for name in names if info.get(name)), None)


def _filesystem(url: str) -> Any:
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)[0]
    except (ImportError, ValueError) as error:
        protocol = url.partition("://")[0]
        raise UserError(
            f"{url}: {error}", hint=f"Install what reads {protocol}://, e.g. coupage[s3]."
        ) from error


def _nearest(pattern: str) -> str:
    """What exists closest to a path that does not."""
    if is_remote(pattern):
        return "Check the address and that your credentials may list it."
    path = Path(_split_pattern(pattern)[0])
    if not path.is_dir() or not _MAGIC & set(pattern):
        path = Path(pattern)
    if path.is_dir():
        names = _names(path)[:5]
        return f"{path} holds {', '.join(names)}." if names else f"{path} is empty."
    while not path.parent.is_dir():
        path = path.parent
    close = get_close_matches(path.name, _names(path.parent), 1, 0.5)
    return f"Did you mean {path.parent / close[0]}?" if close else f"{path.parent} has no {path.name}."


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except PermissionError:
        return []

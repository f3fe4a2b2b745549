"""Which files a path, a folder or a glob stands for, here or on a remote file system."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from pipelines.errors import UserError, WorkError
from pipelines.sources.remote.file import open_remote
from pipelines.sources.remote.places import (
    EVERYTHING,
    FoundFile,
    find_remote,
    is_remote,
    split_url,
    url_below,
)
from pipelines.sources.remote.secrets import masked

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
    """The hash of its content, once that is known; of a remote file its server's tag, or its size."""
    denied: bool = False
    """What could not be looked at for want of permission, a folder or a file."""

    @property
    def remote(self) -> bool:
        """Whether the location is a URL."""
        return is_remote(self.location)

    def open(self) -> BinaryIO:
        """Open for reading; OSError where that fails.

        A remote one is read on where a connection broke; WorkError where it cannot be reached or has changed.
        """
        if not self.remote:
            return open(self.location, "rb")
        return open_remote(self.location, self.version)


@dataclass(frozen=True)
class NoFile:
    """Something that was found where a file or a folder was looked for, and is neither."""

    path: str
    location: str
    kind: Literal["dangling link", "link to a folder around it", "pipe or device"]

    def error(self) -> UserError:
        """What to say where a file was needed."""
        if self.kind != "dangling link":
            return UserError(f"there is no file to read, but a {self.kind}", file=printable(self.location))
        return UserError(
            f"this link leads to {printable(os.path.realpath(self.location))}, where there is nothing",
            file=printable(self.location),
            hint="Fetch what it should lead to, or remove the link.",
        )


@dataclass(frozen=True)
class Listing:
    """What was found, sorted by path."""

    files: list[InputFile]
    others: list[NoFile]
    names: list[str]
    """What was matched, name by name, below the folder that the paths are relative to."""


def printable(path: str) -> str:
    """A path with those bytes of it escaped that are not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()


def list_files(pattern: str, folder: str = "") -> Listing:
    """Files that a file's path, a folder's path (with all below it) or a glob stands for.

    `*`, `?` and `[...]` match within a name, `**` any number of folders; names that begin with a dot match
    only if the pattern's do. A name with brackets that exists as it is written stands for itself. A relative
    pattern begins at `folder`, which is never a glob. Links are followed, except to a folder they lie in.

    Raises:
        UserError: nothing is there; names what is.
        WorkError: a folder could not be listed.
    """
    root, names = _split(pattern, folder)
    lying = map(_remote_file, find_remote(pattern)) if is_remote(pattern) else _walk(root, names)
    found = {each.path: each for each in lying}
    inside = [found[path] for path in sorted(found)]
    files = [each for each in inside if isinstance(each, InputFile)]
    others = [each for each in inside if isinstance(each, NoFile)]
    if not files:
        if others:
            raise others[0].error()
        if is_remote(pattern):
            hint = "Check the address and that your credentials may list it."
            raise UserError(f"{masked(pattern)}: no file matches", hint=hint)
        where = printable(str(Path(folder, pattern)))
        raise UserError(f"{where}: no file matches", hint=_nearest(root, names))
    return Listing(files, others, names)


def location_of(path: str, pattern: str, folder: str = "") -> str:
    """Where a pattern's file lies, by its path."""
    return url_below(pattern, path) if is_remote(pattern) else f"{_split(pattern, folder)[0]}/{path}"


def _remote_file(found: FoundFile) -> InputFile:
    return InputFile(found.path, found.url, found.size, found.version)


def _split(pattern: str, folder: str) -> tuple[str, list[str]]:
    """A pattern's root folder and what is matched below it, name by name."""
    if is_remote(pattern):
        return split_url(pattern)
    below = PurePosixPath(pattern)
    names = [name for name in below.parts if name != below.anchor]
    root = Path(below.anchor or folder)
    while names and _is_literal(str(root), names[0]):
        root /= names.pop(0)
    if not names and not os.path.isdir(root):
        return str(root.parent), [root.name]
    return str(root), names or EVERYTHING


def _is_literal(folder: str, name: str) -> bool:
    """Whether a name stands for itself: it has no magic, or brackets only and is there as it is written."""
    magic = _MAGIC & set(name)
    return not magic or (magic == {"["} and os.path.lexists(os.path.join(folder, name)))


@dataclass(frozen=True)
class _Folder:
    """A folder on the way."""

    location: str
    path: str
    around: frozenset[tuple[int, int]]
    """Device and inode of it and of every folder on the way to it."""

    def inside(self, name: str) -> tuple[str, str]:
        """Path and location of something in it."""
        return f"{self.path}/{name}" if self.path else name, os.path.join(self.location, name)

    def names(self, pattern: str) -> list[str]:
        """The names in it that match; for `**` those of folders and of links."""
        if _is_literal(self.location, pattern):
            return [pattern]
        with os.scandir(self.location) as entries:
            if pattern == "**":
                return [each.name for each in entries if not each.name.startswith(".") and _may_lead_on(each)]
            return [each.name for each in entries if _matches(each.name, pattern)]


def _walk(root: str, names: list[str]) -> Iterator[InputFile | NoFile]:
    """What lies below the root and matches `names`; the same path may come twice."""
    try:
        folders = [(_Folder(root, "", _around(root)), names)]
    except PermissionError:
        yield InputFile(".", root, 0, denied=True)
        return
    except OSError:
        yield from _dangling_on_the_way(root)
        return
    while folders:
        folder, names = folders.pop()
        pattern, rest = names[0], names[1:]
        if pattern == "**":
            folders.append((folder, rest or ["*"]))
        try:
            candidates = folder.names(pattern)
        except PermissionError:
            yield InputFile(folder.path or ".", folder.location, 0, denied=True)
            continue
        except OSError as error:
            raise WorkError(
                f"the folder cannot be listed: {error.strerror}", file=printable(folder.location)
            ) from error
        deeper = names if pattern == "**" else rest
        for name in candidates:
            path, location = folder.inside(name)
            try:
                state = os.stat(location)
            except OSError as error:
                if deeper and not may_be_folder(name):
                    continue
                if isinstance(error, PermissionError):
                    yield InputFile(path, location, 0, denied=True)
                elif os.path.islink(location):
                    yield NoFile(path, location, "dangling link")
                continue
            if not stat.S_ISDIR(state.st_mode):
                if not deeper:
                    yield _file(path, location, state)
            elif deeper and _identity(state) in folder.around:
                yield NoFile(path, location, "link to a folder around it")
            elif deeper:
                folders.append((_Folder(location, path, folder.around | {_identity(state)}), deeper))


def may_be_folder(name: str) -> bool:
    """Whether a name could be a folder's: it has no suffix that begins with a letter."""
    return not PurePosixPath(name).suffix[1:2].isalpha()


def _file(path: str, location: str, state: os.stat_result) -> InputFile | NoFile:
    if not stat.S_ISREG(state.st_mode):
        return NoFile(path, location, "pipe or device")
    return InputFile(path, location, state.st_size)


def _identity(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _around(root: str) -> frozenset[tuple[int, int]]:
    parents = map(str, Path(os.path.realpath(root)).parents)
    return frozenset(_identity(os.stat(folder)) for folder in (root, *filter(os.path.exists, parents)))


def _may_lead_on(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or entry.is_dir()


def _dangling_on_the_way(root: str) -> Iterator[NoFile]:
    """The link that leads nowhere on the way to a folder which is not there."""
    for path in (root, *map(str, Path(root).parents)):
        if os.path.islink(path) and not os.path.exists(path):
            yield NoFile(path, path, "dangling link")


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))


def _nearest(root: str, names: list[str]) -> str:
    """What exists closest to a path that does not."""
    path = Path(root)
    if os.path.isdir(path):
        if _MAGIC & set("".join(names)):
            return _what_is_in(path)
        path /= names[0]
    while not os.path.isdir(path.parent):
        path = path.parent
    close = get_close_matches(path.name, _names(path.parent), 1, 0.5)
    if close:
        return f"Did you mean {printable(str(path.parent / close[0]))}?"
    return f"There is no {printable(str(path))}. {_what_is_in(path.parent)}"


def _what_is_in(folder: Path) -> str:
    names = _names(folder)[:5]
    where = printable(os.path.abspath(folder))
    return f"{where} holds {', '.join(map(printable, names))}." if names else f"{where} is empty."


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except PermissionError:
        return []

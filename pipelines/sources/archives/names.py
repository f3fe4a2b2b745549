"""The names of members: which of them would lead out of a folder, were the archive unpacked."""

from __future__ import annotations

import posixpath
import re

from pipelines.sources.archives.limits import MAX_NAME_CHARACTERS
from pipelines.sources.listing import printable

_DRIVE = re.compile(r"[A-Za-z]:")


def unsafe_name(name: str) -> str | None:
    """What is wrong with a member's name; None if it is a path below the archive's root."""
    if "\0" in name:
        return "a NUL in its name"
    if "\\" in name:
        return "a backslash in its name"
    if name.startswith("/") or _DRIVE.match(name):
        return "an absolute path"
    if ".." in name.split("/"):
        return "a path that leads out of its folder"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"a name of more than {MAX_NAME_CHARACTERS:,} characters"
    return None


def plain_name(name: str) -> str:
    """A safe name as one path: without `./`, empty parts and bytes that are not UTF-8."""
    return printable(posixpath.normpath(name)) if name else ""


def leads_out(name: str, target: str, from_root: bool) -> bool:
    """Whether a link's target lies outside the archive; `from_root`: it is a hard link's."""
    if unsafe_name(target.replace("../", "").removesuffix("..")) is not None:
        return True
    folder = "" if from_root else posixpath.dirname(name)
    return posixpath.normpath(posixpath.join(folder, target)).split("/")[0] == ".."


def is_hidden(path: str) -> bool:
    """Whether a part of a member's path begins with a dot, or is what macOS adds."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))

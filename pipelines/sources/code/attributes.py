"""What `.gitattributes` files say of a repository's files to linguist, which goes before its own rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

MAX_RULES = 1_000
"""Of a repository no more are heeded."""

_PREFIX = "linguist-"
_SAID = ("vendored", "generated", "documentation", "language")
_ANY_FOLDERS = "**"

Value = bool | str | None


class Said(NamedTuple):
    """What is said of one file; None where nothing is."""

    vendored: bool | None = None
    generated: bool | None = None
    documentation: bool | None = None
    language: str | None = None


class _Rule(NamedTuple):
    folder: str
    """Of its file, with a slash at the end; empty for the root."""
    pattern: list[str]
    """Of the path from there, name by name."""
    values: dict[str, Value]

    def holds_for(self, path: str) -> bool:
        return path.startswith(self.folder) and _matches(path[len(self.folder) :].split("/"), self.pattern)


class Attributes:
    """The rules of a repository's `.gitattributes` files."""

    def __init__(self, files: Iterable[tuple[str, str]] = ()) -> None:
        """`files`: the folder of each file (empty for the root) and its text."""
        deepest_last = sorted(files, key=lambda file: file[0].count("/") + bool(file[0]))
        rules = (rule for folder, text in deepest_last for rule in _rules(folder, text))
        self._rules = list(islice(rules, MAX_RULES))

    def of(self, path: str) -> Said:
        """What is said of a file: later rules go before earlier ones, those of a folder before the root's."""
        values: dict[str, Value] = {}
        for rule in self._rules:
            if rule.holds_for(path):
                values.update(rule.values)
        language = values.get("language")
        return Said(
            _flag(values.get("vendored")),
            _flag(values.get("generated")),
            _flag(values.get("documentation")),
            language if isinstance(language, str) else None,
        )


def folder_of(path: str) -> str:
    """The folder that a path lies in; empty for the root."""
    return path.rpartition("/")[0]


def _flag(value: Value) -> bool | None:
    return value.lower() != "false" if isinstance(value, str) else value


def _rules(folder: str, text: str) -> Iterator[_Rule]:
    for line in text.splitlines():
        if _PREFIX not in line or line.lstrip().startswith(("#", "[attr]")):
            continue
        glob, attributes = _split(line.strip())
        values = {name: value for name, value in map(_value, attributes) if name in _SAID}
        if values:
            yield _Rule(f"{folder}/" if folder else "", _pattern(glob), values)


def _split(line: str) -> tuple[str, list[str]]:
    """Pattern and attributes of a line; a pattern with spaces stands in quotes."""
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"\s*(.*)', line)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1]), quoted[2].split()
    glob, *attributes = line.split()
    return glob, attributes


def _value(attribute: str) -> tuple[str, Value]:
    """Name and value of `name`, `-name`, `!name` or `name=value`."""
    name, _, value = attribute.partition("=")
    said: Value = {"-": False, "!": None}.get(name[0], value or True)
    return name.lstrip("-!").removeprefix(_PREFIX), said


def _pattern(glob: str) -> list[str]:
    """The names of a glob; one without a slash holds for names at any depth."""
    names = glob.strip("/").replace("[^", "[!").split("/")
    return names if "/" in glob.rstrip("/") else [_ANY_FOLDERS, *names]


def _matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches, where `**` stands for any folders; goes back to the last `**` only."""
    at = wanted = 0
    last, resume = -1, 0
    while at < len(names):
        if wanted < len(pattern) and pattern[wanted] == _ANY_FOLDERS:
            last, resume = wanted, at
            wanted += 1
            if wanted == len(pattern):
                return True
        elif wanted < len(pattern) and fnmatchcase(names[at], pattern[wanted]):
            at, wanted = at + 1, wanted + 1
        elif last >= 0:
            resume += 1
            at, wanted = resume, last + 1
        else:
            return False
    return wanted == len(pattern)

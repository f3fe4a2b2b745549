"""The files of a repository in an order in which a file stands behind those that it imports.

As in DeepSeek-Coder (arXiv 2401.14196, section 2.2), imports are found by regular expressions. Where files
import each other in a circle, the first of them by path that is reached goes last.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

VERSION = 1
"""To be raised when the same files get another order."""

MAX_IMPORTS = 10_000
"""Of one file."""


@dataclass(frozen=True)
class Imports:
    """What one file imports, as its language writes it."""

    path: str
    group: str
    """Of languages that import one another."""
    names: tuple[str, ...]


def imports_of(path: str, language: str, text: str) -> Imports:
    """What a file imports; nothing where its language is none of GROUPS."""
    group = GROUPS.get(language, "")
    if not group:
        return Imports(path, "", ())
    found = (name for match in _PATTERNS[group].finditer(text) for name in match.groups() if name)
    names = dict.fromkeys(name.strip() for name, _ in zip(found, range(MAX_IMPORTS), strict=False))
    return Imports(path, group, tuple(names))


def in_dependency_order(files: Sequence[Imports]) -> list[str]:
    """The paths of the files, each behind what it imports, else in the order in which they are given."""
    places = _Places(files)
    imported = {
        file.path: [path for name in file.names for path in _RESOLVERS[file.group](places, file.path, name)]
        for file in files
    }
    done: dict[str, None] = {}
    seen: set[str] = set()
    for file in files:
        waiting = [(file.path, iter(imported[file.path]))] if file.path not in seen else []
        seen.add(file.path)
        while waiting:
            path, rest = waiting[-1]
            following = next((each for each in rest if each not in seen), None)
            if following is None:
                done[path] = None
                waiting.pop()
            else:
                seen.add(following)
                waiting.append((following, iter(imported[following])))
    return list(done)


GROUPS = {
    "Python": "python",
    "Cython": "python",
    "JavaScript": "javascript",
    "TypeScript": "javascript",
    "TSX": "javascript",
    "Vue": "javascript",
    "Svelte": "javascript",
    "Java": "java",
    "Kotlin": "java",
    "Scala": "java",
    "Groovy": "java",
    "C": "c",
    "C++": "c",
    "Objective-C": "c",
    "Objective-C++": "c",
    "Cuda": "c",
    "Go": "go",
    "Rust": "rust",
}
"""Languages of which imports are known."""

_PATTERNS = {
    "python": re.compile(
        r"^[ \t]*(?:from[ \t]+([.\w]+[ \t]+import[ \t]+(?:\([^)]{0,2000}\)|[\w, \t]+))"
        r"|import[ \t]+([\w., \t]+))",
        re.MULTILINE,
    ),
    "javascript": re.compile(
        r"""(?:\bfrom|^[ \t]*import|\brequire[ \t]*\(|\bimport[ \t]*\()[ \t]*["'](\.[^"'\n]+)["']""",
        re.MULTILINE,
    ),
    "java": re.compile(r"^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]+)", re.MULTILINE),
    "c": re.compile(r"""^[ \t]*#[ \t]*(?:include|import)[ \t]*["<]([^">\n]+)[">]""", re.MULTILINE),
    "go": re.compile(
        r"""^[ \t]*(?:import[ \t]+)?(?:[\w.]+[ \t]+)?"([\w./~-]+)"[ \t]*(?://.*)?$""", re.MULTILINE
    ),
    "rust": re.compile(
        r"^[ \t]*(?:pub(?:\([^)\n]*\))?[ \t]+)?"
        r"(?:(mod[ \t]+\w+)[ \t]*;|use[ \t]+((?:crate|super|self)(?:::\w+)+))",
        re.MULTILINE,
    ),
}
_SCRIPTS = ("", ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte")


class _Places:
    """Where files are, by the ends of their paths."""

    def __init__(self, files: Iterable[Imports]) -> None:
        self.paths = {file.path for file in files}
        self._by_end: dict[str, list[str]] = defaultdict(list)
        self.go_folders: dict[str, list[str]] = defaultdict(list)
        for file in files:
            parts = file.path.split("/")
            for first in range(len(parts)):
                self._by_end["/".join(parts[first:])].append(file.path)
            if file.group == "go" and not file.path.endswith("_test.go"):
                self.go_folders[posixpath.dirname(file.path)].append(file.path)

    def at(self, *candidates: str) -> list[str]:
        """The first of these paths that is there."""
        return [path for path in candidates if path in self.paths][:1]

    def ending(self, *ends: str) -> list[str]:
        """The file whose path has the first of these ends, if it is the only one that has."""
        found = next((self._by_end[end] for end in ends if end in self._by_end), [])
        return found if len(found) == 1 else []


_FROM = re.compile(r"[ \t]+import[ \t]+")


def _python(places: _Places, path: str, name: str) -> list[str]:
    """`a.b, c` of an import, or `.a import b, c` of one from a module."""
    module, *rest = _FROM.split(name, maxsplit=1)
    if not rest:
        return [found for part in name.split(",") for found in _python_module(places, path, part.split()[:1])]
    names = [words[0] for part in rest[0].strip("() \t\n").split(",") if (words := part.split())]
    joined = [f"{module}{'' if module.endswith('.') else '.'}{each}" for each in names]
    found = [each for candidate in joined for each in _python_module(places, path, [candidate])]
    return found or _python_module(places, path, [module])


def _python_module(places: _Places, path: str, names: list[str]) -> list[str]:
    if not names:
        return []
    stem = names[0].lstrip(".")
    above = len(names[0]) - len(stem)
    inside = stem.replace(".", "/")
    if not above:
        return places.ending(f"{inside}.py", f"{inside}/__init__.py", f"{inside}.pyx") if inside else []
    folder = posixpath.dirname(path)
    for _ in range(above - 1):
        folder = posixpath.dirname(folder)
    start = posixpath.join(folder, inside) if inside else folder
    return places.at(f"{start}.py", posixpath.join(start, "__init__.py"))


def _javascript(places: _Places, path: str, name: str) -> list[str]:
    start = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    # TypeScript names the file that it will be compiled to.
    stem = re.sub(r"\.[cm]?jsx?$", "", start)
    inside = [f"{start}/index{suffix}" for suffix in _SCRIPTS[1:]]
    return places.at(
        start, *(stem + suffix for suffix in _SCRIPTS), *(start + suffix for suffix in _SCRIPTS), *inside
    )


def _java(places: _Places, path: str, name: str) -> list[str]:
    parts = name.strip(".").split(".")
    ends = ("/".join(parts[:last]) for last in range(len(parts), 1, -1))
    return places.ending(*(end + suffix for end in ends for suffix in (".java", ".kt", ".scala", ".groovy")))


def _c(places: _Places, path: str, name: str) -> list[str]:
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    return places.at(beside) or places.ending(posixpath.normpath(name))


def _go(places: _Places, path: str, name: str) -> list[str]:
    parts = name.split("/")
    folders = ("/".join(parts[first:]) for first in range(len(parts)))
    found = next((places.go_folders[folder] for folder in folders if folder in places.go_folders), [])
    return [each for each in found if posixpath.dirname(each) != posixpath.dirname(path)]


def _rust(places: _Places, path: str, name: str) -> list[str]:
    folder, file = posixpath.split(path)
    is_root = file in ("mod.rs", "lib.rs", "main.rs")
    own = folder if is_root else posixpath.join(folder, file.removesuffix(".rs"))
    if name.startswith("mod"):
        return _rust_module(places, own, name.split()[1:])
    first, *rest = name.split("::")
    start = {"crate": _crate(folder), "super": posixpath.dirname(own), "self": own}[first]
    while rest[:1] == ["super"]:
        start, rest = posixpath.dirname(start), rest[1:]
    return _rust_module(places, start, rest) or _rust_module(places, start, rest[:-1])


def _crate(folder: str) -> str:
    parts = folder.split("/")
    return "/".join(parts[: len(parts) - parts[::-1].index("src")]) if "src" in parts else folder


def _rust_module(places: _Places, folder: str, names: list[str]) -> list[str]:
    for last in range(len(names), 0, -1):
        start = posixpath.join(folder, *names[:last])
        if found := places.at(f"{start}.rs", f"{start}/mod.rs"):
            return found
    return []


_RESOLVERS: dict[str, Callable[[_Places, str, str], list[str]]] = {
    "": lambda places, path, name: [],
    "python": _python,
    "javascript": _javascript,
    "java": _java,
    "c": _c,
    "go": _go,
    "rust": _rust,
}

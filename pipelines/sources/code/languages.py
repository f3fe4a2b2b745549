"""The programming language of a file: by modeline, name, shebang, suffix and content.

The order of these is that of github-linguist, and so are the names. Where linguist asks a classifier at last,
the language is taken whose main suffix it is, then the more popular one, then the first by name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import dropwhile
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pipelines.sources.code.table import linguist

VERSION = 1
"""To be raised when the same file gets another language."""

HEAD_BYTES = 8 << 10
"""So much of a file is looked at to tell languages of one suffix apart: linguist's patterns take time in the
third power of it on a hostile file (half a second for these)."""
MODELINE_LINES = 5
_LINE_BYTES = 1_000

_EMACS = re.compile(
    rb"-\*-(?:[ \t]*([^:;\s]+)[ \t]*-\*-"
    rb"|(?:[^\n]*?[ \t;])?mode[ \t]*:[ \t]*([^:;\s]+?)(?=[ \t;]|-\*-)[^\n]*?-\*-)",
    re.IGNORECASE,
)
_VIM = re.compile(
    rb"(?:^|[ \t])(?:vi|vim|Vim|ex)(?:[<=>]?\d+)?:"
    rb"[^\n]*?\b(?:filetype|ft|syntax)[ \t]*=[ \t]*(\w+)(?=$|[\s:])",
    re.MULTILINE,
)
_EXECUTED = re.compile(rb"exec (\w+)[\s\"']+\$0[\s\"']+\$@")
_MANUAL_PAGE = re.compile(r"\.(?:[1-9](?![0-9])[a-z_0-9]*|0p|n|man|mdoc)(?:\.in)?$")
_LONG_RUN = re.compile(rb"(\s{100})\s+|(\w{100})\w+")

WELL_KNOWN = frozenset(
    (
        "Ada|Agda|Assembly|Astro|Awk|Batchfile|C|C#|C++|CMake|CSS|Clojure|CoffeeScript|"
        "Common Lisp|Crystal|Cuda|Cython|D|Dart|Dockerfile|Elixir|Elm|Emacs Lisp|Erlang|F#|"
        "Fortran|Fortran Free Form|GDScript|GLSL|Go|Groovy|HCL|Haskell|Idris|Java|JavaScript|"
        "Julia|Kotlin|Lean|Less|Lua|MATLAB|Makefile|Mojo|Nim|Nix|OCaml|Objective-C|Objective-C++|"
        "PHP|PLSQL|PLpgSQL|Pascal|Perl|PowerShell|Prolog|Protocol Buffer|Python|R|Racket|Raku|"
        "Rocq Prover|Ruby|Rust|SCSS|SQL|Sass|Scala|Scheme|Shell|Solidity|Standard ML|Starlark|"
        "Stylus|Svelte|Swift|SystemVerilog|TSX|Tcl|TeX|Thrift|TypeScript|VHDL|Vala|Verilog|"
        "Vim script|Visual Basic .NET|Vue|Zig"
    ).split("|")
)
"""Languages whose suffixes mean source code in any folder; those of rarer ones often mean other things."""


class Language(NamedTuple):
    """A language as linguist knows it."""

    name: str
    type: str
    """programming, markup, data or prose."""


def language_of(path: str, content: bytes) -> Language | None:
    """The language of a text file of this path and content; None where nothing tells it."""
    candidates: list[str] = []
    for found in _by_name(path, content):
        candidates = [name for name in found if name in candidates] or candidates or list(found)
        if len(candidates) == 1:
            return language(candidates[0])
    candidates = _of_content(PurePosixPath(path).name, content) or candidates
    if "XML" in candidates and _is_xml(content):
        return language("XML")
    best = min(candidates, key=lambda name: _rank(name, path), default=None)
    return None if best is None else language(best)


def code_suffix(path: str) -> str | None:
    """The suffix by which a file is known as source code before it is opened; None if it is not."""
    suffix = _known_suffix(path)
    return suffix if suffix in _well_known_suffixes() else None


@cache
def _well_known_suffixes() -> frozenset[str | None]:
    return frozenset(
        suffix
        for suffix, named in _tables().by_suffix.items()
        if min(named, key=lambda name: _rank(name, suffix)) in WELL_KNOWN
        and suffix not in (*linguist()["generic_suffixes"], ".aux", ".tab")
    )


def language(name: str) -> Language:
    """The language of this name, as linguist spells it."""
    return Language(name, linguist()["languages"][name]["type"])


def language_called(name: str) -> str:
    """Linguist's spelling of a language's name or alias; ValueError names the closest where there is none."""
    names = _tables().by_alias
    found = names.get(name.lower())
    if found is None:
        close = get_close_matches(name.lower(), names, 1)
        hint = f"; did you mean {names[close[0]]}?" if close else ""
        raise ValueError(f"{name!r} is no language that github-linguist knows{hint}")
    return found


class _Tables(NamedTuple):
    by_suffix: dict[str, list[str]]
    by_name: dict[str, list[str]]
    by_interpreter: dict[str, list[str]]
    by_alias: dict[str, str]


@cache
def _tables() -> _Tables:
    tables = _Tables(defaultdict(list), defaultdict(list), defaultdict(list), {})
    for spelling, said in linguist()["languages"].items():
        for suffix in said.get("suffixes", ()):
            tables.by_suffix[suffix].append(spelling)
        for name in said.get("names", ()):
            tables.by_name[name].append(spelling)
        for interpreter in said.get("interpreters", ()):
            tables.by_interpreter[interpreter].append(spelling)
        for alias in said.get("aliases", ()):
            tables.by_alias[alias] = spelling
    tables.by_alias.update({name.lower(): name for name in linguist()["languages"]})
    return tables


def _by_name(path: str, content: bytes) -> Iterator[Sequence[str]]:
    """What each way of telling says, as far as they are asked; an empty answer says nothing."""
    tables = _tables()
    name = PurePosixPath(path).name
    yield _of_modeline(content)
    yield tables.by_name.get(name, ())
    yield tables.by_interpreter.get(_interpreter(content), ())
    suffix = _known_suffix(name)
    if suffix is not None and suffix not in linguist()["generic_suffixes"]:
        yield tables.by_suffix[suffix]
    elif _is_xml(content):
        yield ["XML"]
    elif _MANUAL_PAGE.search(name.lower()):
        yield ["Roff Manpage", "Roff"]


def _is_xml(content: bytes) -> bool:
    return b"<?xml version=" in b"\n".join(content[:_LINE_BYTES].split(b"\n")[:2])


def _known_suffix(path: str) -> str | None:
    """The longest suffix that a language has."""
    parts = PurePosixPath(path).name.lower().split(".")[1:]
    suffixes = ("." + ".".join(parts[first:]) for first in range(len(parts)))
    return next((suffix for suffix in suffixes if suffix in _tables().by_suffix), None)


def _of_modeline(content: bytes) -> list[str]:
    lines = content[: MODELINE_LINES * _LINE_BYTES].split(b"\n")[:MODELINE_LINES]
    if any(b"UseVimball" in line for line in lines):
        return []
    lines += content[-MODELINE_LINES * _LINE_BYTES :].split(b"\n")[-MODELINE_LINES:]
    text = b"\n".join(line[:_LINE_BYTES] for line in lines)
    match = _EMACS.search(text) or _VIM.search(text)
    if match is None:
        return []
    mode = next(group for group in match.groups() if group).decode("ascii", "replace").lower()
    found = _tables().by_alias.get(mode)
    return [found] if found else []


def _interpreter(content: bytes) -> str:
    """The program that a shebang names, without its version; empty if there is none."""
    if not content.startswith(b"#!"):
        return ""
    words = content[2:_LINE_BYTES].split(b"\n")[0].decode("utf-8", "replace").split()
    if words and words[0].endswith("/env"):
        words = list(dropwhile(lambda word: word.startswith("-") or "=" in word, words[1:]))
    program = PurePosixPath(words[0]).name if words else ""
    program = re.sub(r"\.\d+$", "", program)
    if program == "sh" and (run := _EXECUTED.search(b"\n".join(content[:4096].split(b"\n")[:5]))):
        return run[1].decode()
    return "" if program == "osascript" and "-l" in words else program


def _of_content(name: str, content: bytes) -> list[str]:
    """What the first rule that fits says, of those for this suffix."""
    lowered = name.lower()
    rules = next((rules for suffixes, rules in _heuristics() if lowered.endswith(suffixes)), [])
    if not rules:
        return []
    head = _LONG_RUN.sub(rb"\1\2", content[:HEAD_BYTES])
    for languages, conditions in rules:
        if all((pattern.search(head) is not None) is wanted for pattern, wanted in conditions):
            return languages
    return []


_Rule = tuple[list[str], list[tuple[re.Pattern[bytes], bool]]]


@cache
def _heuristics() -> list[tuple[tuple[str, ...], list[_Rule]]]:
    return [
        (tuple(each["suffixes"]), [_rule(rule) for rule in each["rules"]])
        for each in linguist()["heuristics"]
    ]


def _rule(said: dict[str, Any]) -> _Rule:
    conditions = [
        (re.compile(pattern.encode(), re.MULTILINE), kind == "has")
        for condition in said["conditions"]
        for kind, pattern in condition.items()
    ]
    return said["languages"], conditions


def _rank(name: str, path: str) -> tuple[bool, bool, str]:
    suffixes = linguist()["languages"][name].get("suffixes", ())
    is_main = bool(suffixes) and suffixes[0] == _known_suffix(path)
    return not is_main, name not in linguist()["popular"], name

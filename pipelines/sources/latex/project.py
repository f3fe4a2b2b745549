"""The files of a paper become one text: the main file is found, and what it takes in is put into it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

MAX_CHARACTERS = 32 << 20
"""The largest papers have some MB; more comes of files that take in one another over and over again."""

TAKEN_IN = 1_000
"""As so many characters a file counts that is taken in, however short it is."""

MAX_DEPTH = 16
"""So deep may files take in files: TeX itself has 15 of them open at most."""

TEX_SUFFIXES = (".tex", ".ltx", ".latex", ".txt", "")
"""Of files that can be the main one; old papers have no suffix."""

_ENCODINGS = {
    "latin1": "latin-1",
    "latin2": "iso8859-2",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "ansinew": "cp1252",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1252": "cp1252",
    "cp866": "cp866",
    "koi8-r": "koi8-r",
    "applemac": "mac_roman",
}
_INPUT_ENCODING = re.compile(rb"\\usepackage\s*\[([A-Za-z0-9-]+)\]\s*\{inputenc\}")
VERBATIM = "verbatim|verbatim\\*|Verbatim|lstlisting|minted|alltt"
_NEW_VERBATIM = re.compile(
    r"\\(?:lstnewenvironment|newtcblisting|DefineVerbatimEnvironment)\s*\{([A-Za-z]+)\}"
    r"|\\newminted\s*\[([A-Za-z]+)\]|\\newminted\s*\{([A-Za-z]+)\}"
    r"|\\newenvironment\*?\s*\{([A-Za-z]+)\}\s*\{\s*\\VerbatimEnvironment\b"
)
_LEFT_OUT = re.compile(r"\\begin\{comment\}.*?\\end\{comment\}|\\iffalse\b.*?\\fi\b", re.DOTALL)
_CLASS = re.compile(r"\\document(?:class|style)\b")
_BEGIN, _END = r"\begin{document}", re.compile(r"\\end\s*\{document\}")
_TAKE_IN = re.compile(
    r"\\(?:(input|include|subfile|subfileinclude)(?![A-Za-z])\s*(?:\{([^{}]*)\}|([^\s{}\\]+))"
    r"|(?:sub)?import\*?\s*\{([^{}]*)\}\s*\{([^{}]*)\})"
)
_PACKAGE = re.compile(r"\\(?:usepackage|RequirePackage|documentclass)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_USUAL_NAMES = re.compile(r"(main|ms|paper|article|manuscript|root|arxiv)\b", re.IGNORECASE)


class NoPaper(Exception):
    """Files of which none is the main file of a LaTeX document."""


class Project:
    """The files of one paper by their paths."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {posixpath.normpath(path): content for path, content in files.items()}
        encoding = next(
            (match for content in self._files.values() if (match := _INPUT_ENCODING.search(content))), None
        )
        self._encoding = _ENCODINGS.get(encoding[1].decode() if encoding else "", "latin-1")
        self.verbatim = frozenset(
            name
            for path, content in self._files.items()
            if posixpath.splitext(path)[1].lower() in (*TEX_SUFFIXES, ".sty", ".cls")
            for name in _new_verbatim(content.decode("latin-1"))
        )
        """Names of the paper's own environments of code."""
        self._read: dict[str, str] = {}

    def text(self, path: str) -> str:
        """A file without its comments."""
        if path not in self._read:
            self._read[path] = without_comments(_decoded(self._files[path], self._encoding), self.verbatim)
        return self._read[path]

    def main(self) -> str:
        """The path of the main file. Raises NoPaper."""
        names = [path for path in self._files if posixpath.splitext(path)[1].lower() in TEX_SUFFIXES]
        named, ignored = self._hints()
        candidates = [path for path in names if path not in ignored and self._is_document(path)]
        if not candidates:
            raise NoPaper("no file with \\documentclass and \\begin{document}")
        taken_in = {other for path in candidates for other in self._taken_in(path)}
        return min(candidates, key=lambda path: self._rank(path, named, taken_in))

    def whole(self, path: str) -> str:
        """A file with all that it takes in, wherever that stands."""
        return self._whole(path, (), [MAX_CHARACTERS])

    def packages(self, text: str) -> str:
        """The paper's own packages that a text uses, one behind the other."""
        names = [name.strip() for match in _PACKAGE.finditer(text) for name in match[1].split(",")]
        found = (self._find(name, "", (".sty", ".cls")) for name in names)
        return "\n".join(self.text(path) for path in found if path)[:MAX_CHARACTERS]

    def _is_document(self, path: str) -> bool:
        text = self.text(path)
        if _BEGIN not in text and not _CLASS.search(text):
            return False
        whole = self._whole(path, (), [MAX_CHARACTERS])
        return bool(_CLASS.search(whole)) and _BEGIN in whole

    def _rank(self, path: str, named: set[str], taken_in: set[str]) -> tuple[bool, bool, bool, int, str]:
        usual = _USUAL_NAMES.match(posixpath.basename(path)) is not None
        return path not in named, path in taken_in, not usual, -len(self.whole(path)), path

    def _hints(self) -> tuple[set[str], set[str]]:
        """The files that 00README calls the main ones, and those that it says to ignore."""
        named: set[str] = set()
        ignored: set[str] = set()
        for path, content in self._files.items():
            if not posixpath.basename(path).upper().startswith("00README"):
                continue
            text = content.decode("utf-8", "replace")
            for name, usage in (*_from_json(text), *_from_lines(text)):
                (named if usage == "toplevel" else ignored).add(posixpath.normpath(name))
        return named, ignored

    def _taken_in(self, path: str) -> set[str]:
        found = set()
        for match in _TAKE_IN.finditer(self.text(path)):
            folder, name = _target(match)
            if other := self._find(name, folder or posixpath.dirname(path), (".tex",)):
                found.add(other)
        return found - {path}

    def _whole(self, path: str, around: tuple[str, ...], left: list[int]) -> str:
        def take_in(match: re.Match[str]) -> str:
            folder, name = _target(match)
            other = self._find(name, folder or posixpath.dirname(path), (".tex", ".ltx"))
            if other is None or other in (*around, path) or len(around) >= MAX_DEPTH:
                return ""
            inner = self._whole(other, (*around, path), left)
            begin = inner.find(_BEGIN)  # of a file that can be set on its own
            return (inner[begin + len(_BEGIN) :] if begin >= 0 else inner).strip() + "\n"

        if left[0] <= 0:
            return ""
        text = self.text(path)
        left[0] -= len(text) + TAKEN_IN
        if end := _END.search(text):
            text = text[: end.start()]
        return _TAKE_IN.sub(take_in, text)

    def _find(self, name: str, folder: str, suffixes: tuple[str, ...]) -> str | None:
        """The file of the paper that a name means, seen from a folder or from the top."""
        name = name.strip().strip('"')
        for start in dict.fromkeys((folder, "")):
            for suffix in ("", *suffixes):
                path = posixpath.normpath(posixpath.join(start, name + suffix))
                if path in self._files:
                    return path
        return None


def without_comments(text: str, verbatim: frozenset[str] = frozenset()) -> str:
    """The text without what TeX does not read, code as it is; `verbatim`: further environments of code."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")

    def uncommented(match: re.Match[str]) -> str:
        if match[3] is None:
            return match[0]
        is_a_line = match.start() == 0 or text[match.start() - 1] == "\n"
        ends_paragraph = text[match.end() : match.end() + 1] == "\n"
        return "\n" if ends_paragraph and not is_a_line else ""

    return _LEFT_OUT.sub("", _comment(verbatim).sub(uncommented, text))


@lru_cache(maxsize=32)
def _comment(verbatim: frozenset[str]) -> re.Pattern[str]:
    """Finds comments, and before them what may look like one."""
    names = "|".join([VERBATIM, *sorted(map(re.escape, verbatim))])
    return re.compile(
        rf"\\begin\{{({names})\}}.*?\\end\{{\1\}}|\\verb\*?([^A-Za-z\s*]).*?\2|\\."
        r"|(?:^[ \t]*)?%[^\n]*(\n[ \t]*|$)",
        re.DOTALL | re.MULTILINE,
    )


def _new_verbatim(text: str) -> Iterator[str]:
    """The names of environments of code that a file defines."""
    for match in _NEW_VERBATIM.finditer(text):
        yield f"{match[3]}code" if match[3] else match[1] or match[2] or match[4]


def preamble_and_body(text: str) -> tuple[str, str]:
    """What stands before the document begins, and the document."""
    preamble, _, body = text.partition(_BEGIN)
    return preamble, body


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(encoding, "replace")


def _target(match: re.Match[str]) -> tuple[str, str]:
    """Folder and name of what is taken in."""
    return (match[4] or "", match[5]) if match[5] is not None else ("", match[2] or match[3] or "")


def _from_json(text: str) -> list[tuple[str, str]]:
    try:
        sources = json.loads(text)["sources"]
        return [
            (each["filename"], each["usage"])
            for each in sources
            if each.get("usage") in ("toplevel", "ignore")
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _from_lines(text: str) -> list[tuple[str, str]]:
    words = [line.split() for line in text.splitlines()]
    usages = {"toplevelfile": "toplevel", "ignore": "ignore"}
    return [(each[0], usages[each[1]]) for each in words if len(each) == 2 and each[1] in usages]

"""LaTeX as text: headings as in Markdown, formulas as LaTeX, tables as rows."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from pipelines.errors import UserError
from pipelines.sources.latex.commands import (
    ACCENTS,
    CHARACTERS,
    CITED,
    CITED_IN_WORDS,
    DROPPED,
    DROPPED_ENVIRONMENTS,
    ENVIRONMENT_ARGUMENTS,
    FIGURES,
    KEPT_LAST,
    LISTS,
    MATHS,
    ONE_FORMULA,
    REFERENCES,
    SECTIONS,
    TABLES,
    TABULARS,
    THEOREMS,
    VERBATIM,
)
from pipelines.sources.latex.groups import argument, arguments, option

MAX_DEPTH = 60
"""Groups within groups; what lies deeper is left out. Papers have ten."""

MAX_FORMULA = 100_000
"""Characters; what does not end so soon is no formula."""

_NEXT = re.compile(r"\\(?:[A-Za-z@]+\*?|.)|[${}~]|\n[ \t]*\n\s*|---?|``|''|<<|>>|&", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}")
_INNER_LABELS = re.compile(r"\\(?:label|tag\*?)\s*\{[^{}]*\}|\\(?:nonumber|notag)(?![A-Za-z])")
_IN_FORMULAS = re.compile(r"\\(?:ensuremath|xspace)(?![A-Za-z@])\s*")
"""What macros that stand in text and in formulas bring into them, and says nothing there."""
_MATH_END = re.compile(r"\\.|\$\$?", re.DOTALL)
_NEW_THEOREM = re.compile(r"\\newtheorem\*?\s*\{([^{}]+)\}\s*(?:\[[^\]]*\])?\s*\{([^{}]+)\}")
_BLANK = re.compile(r"[ \t\n]+")
_ROW_END = re.compile(r"\\\\\*?(?:\s*\[[^\]]*\])?|\\tabularnewline")
_HELD = re.compile("\x02(\\d+)\x03")
_PARAGRAPH_END = re.compile(r"[ \t]*\n[ \t]*\n\s*")
_HARD = "\x01"
"""A line end that stays."""
_PLAIN = {
    "~": " ",
    "---": "—",
    "--": "–",
    "``": "“",
    "''": "”",
    "<<": "«",
    ">>": "»",
    "&": " ",
    "{": "",
    "}": "",
}


def readable(body: str, preamble: str = "", verbatim: frozenset[str] = frozenset()) -> str:
    """The text of a document's body; `verbatim`: names of its own environments of code."""
    found = _Converter(
        {**THEOREMS, **{name.strip(): title for name, title in _NEW_THEOREM.findall(preamble)}},
        VERBATIM | verbatim,
    )
    return found.finished(found.converted(body, 0))


def title_of(*texts: str) -> str | None:
    """The title of a document, as text."""
    for text in texts:
        for match in re.finditer(r"\\(?:title|icmltitle)\s*(?=[\[{])", text):
            given = option(text, match.end())
            found = argument(text, given[1] if given else match.end())
            if found is not None:
                title = _Converter({}, VERBATIM)
                plain = " ".join(title.finished(title.converted(found[0], 0)).split())
                if plain:
                    return plain
    return None


class _Converter:
    """What is held as it is while the rest is put in order."""

    def __init__(self, theorems: dict[str, str], verbatim: frozenset[str]) -> None:
        self._theorems = theorems
        self._verbatim = verbatim
        self._held: list[str] = []
        self._unclosed: set[str] = set()

    def finished(self, text: str) -> str:
        """The text with its spaces, lines and paragraphs in order, and what was held in its place."""
        paragraphs = (
            _HARD.join(_BLANK.sub(" ", line).strip() for line in paragraph.split(_HARD)).strip(_HARD + " ")
            for paragraph in _PARAGRAPH_END.split(text)
        )
        joined = "\n\n".join(filter(None, paragraphs)).replace(_HARD, "\n")
        joined = re.sub(r"[ \t]+([,.;:)])(?=\s|$)", r"\1", joined)
        whole = _HELD.sub(lambda match: self._held[int(match[1])], joined)
        return unicodedata.normalize("NFC", whole.replace("\x02", "").replace("\x03", ""))

    def converted(self, text: str, depth: int) -> str:
        """A piece of LaTeX as text in which spaces are not in order yet."""
        if depth > MAX_DEPTH:
            return ""
        pieces: list[str] = []
        position = 0
        while (match := _NEXT.search(text, position)) is not None:
            pieces.append(text[position : match.start()])
            piece, position = self._piece(text, match, depth)
            if piece == _CITATION:
                pieces[-1] = pieces[-1].rstrip(" \t\n")
                if pieces[-1] == "" and len(pieces) > 1:
                    pieces[-2] = pieces[-2].rstrip(" \t\n")
            else:
                pieces.append(piece)
        pieces.append(text[position:])
        return "".join(pieces)

    def _piece(self, text: str, match: re.Match[str], depth: int) -> tuple[str, int]:
        """What a special character, a command or an environment is in text, and where it ends."""
        found, end = match[0], match.end()
        if found == "$":
            return self._formula(text, match.start())
        if found[0] == "\n":
            return "\n\n", end
        if found[0] != "\\":
            return _PLAIN[found], end
        name = found[1:].rstrip("*")
        if name in ("begin", "end"):
            return self._environment(text, match.start(), end, depth)
        if name in ("[", "("):
            mark = "\\]" if name == "[" else "\\)"
            close = text.find(mark, end, end + MAX_FORMULA) if end <= _last(text, mark) else -1
            if close < 0:
                return "", end
            return self._math(text[end:close], display=name == "["), close + 2
        if found == "\\\\":
            skipped = option(text, end)
            return "\n" if skipped is None else " ", end if skipped is None else skipped[1]
        return self._command(name, text, end, depth)

    def _formula(self, text: str, start: int) -> tuple[str, int]:
        marks = "$$" if text.startswith("$$", start) else "$"
        paragraph_end = text.find("\n\n", start) if marks == "$" else -1  # a lone dollar begins no formula
        last = min(len(text) if paragraph_end < 0 else paragraph_end, start + MAX_FORMULA)
        for match in _MATH_END.finditer(text, start + len(marks), last):
            if match[0].startswith("$") and (marks == "$" or match[0] == "$$"):
                end = match.start() + len(marks)
                return self._math(text[start + len(marks) : match.start()], marks == "$$"), end
        return "", start + len(marks)

    def _math(self, formula: str, display: bool) -> str:
        formula = _IN_FORMULAS.sub("", _INNER_LABELS.sub("", formula))
        if not formula.strip():
            return ""
        if not display:
            return self._hold(f"${_BLANK.sub(' ', formula).strip()}$")
        lines = "\n".join(line.strip() for line in formula.split("\n") if line.strip())
        return f"{_HARD}{self._hold(f'$${_NEWLINE}{lines}{_NEWLINE}$$')}{_HARD}"

    def _hold(self, text: str) -> str:
        self._held.append(text)
        return f"\x02{len(self._held) - 1}\x03"

    def _environment(self, text: str, start: int, end: int, depth: int) -> tuple[str, int]:
        match = _ENVIRONMENT.match(text, start)
        if match is None:
            return "", end
        if match[1] == "end":
            return "", match.end()
        if match[2] in self._unclosed:
            return "", match.end()
        found = _inside(text, match)
        if found is None:
            self._unclosed.add(match[2])
            return "", match.end()
        inner, close = found
        name = match[2].strip().rstrip("*")
        return self._converted_environment(name, match[2], inner, depth), close

    def _converted_environment(self, name: str, written: str, inner: str, depth: int) -> str:
        if name in MATHS:
            if name in ONE_FORMULA:
                return self._math(inner, display=name != "math")
            lines = _IN_FORMULAS.sub("", _INNER_LABELS.sub("", inner)).strip("\n")
            held = self._hold(f"\\begin{{{written}}}\n{lines}\n\\end{{{written}}}")
            return f"{_HARD}{held}{_HARD}"
        if name in self._verbatim:
            given = option(inner, 0)
            code = inner if given is None else inner[given[1] :]
            if name == "minted":
                code = code[arguments(code, 0, 1)[1] :]
            return "\n\n" + self._hold("```\n" + code.strip("\n") + "\n```") + "\n\n"
        if name in DROPPED_ENVIRONMENTS:
            return ""
        if name in TABULARS:
            return self._table(inner, TABULARS[name], depth)
        if name in FIGURES:
            return "\n\n" + "\n\n".join(f"Figure: {each}" for each in self._captions(inner, depth)) + "\n\n"
        if name in self._theorems:
            return self._theorem(self._theorems[name], inner, depth)
        inner = inner[_behind_arguments(inner, name) :]
        if name in TABLES:
            return self._floating_table(inner, depth)
        if name in LISTS:
            return self._list(name, inner, depth)
        body = self.converted(inner, depth + 1)
        if name == "abstract":
            return f"\n\n## Abstract\n\n{body}\n\n"
        return f"\n\n{body}\n\n"

    def _theorem(self, title: str, inner: str, depth: int) -> str:
        given = option(inner, 0)
        said = f"{title} ({self.converted(given[0], depth + 1)})." if given else f"{title}."
        return f"\n\n{said} {self.converted(inner[given[1] :] if given else inner, depth + 1)}\n\n"

    def _captions(self, inner: str, depth: int) -> list[str]:
        found = []
        for match in re.finditer(r"\\caption(?:of\s*\{[^{}]*\})?\*?(?![A-Za-z])", inner):
            given = option(inner, match.end())
            caption = argument(inner, given[1] if given else match.end())
            if caption is not None:
                found.append(self.converted(caption[0], depth + 1).replace("\n\n", " ").strip())
        return list(filter(None, found))

    def _floating_table(self, inner: str, depth: int) -> str:
        captions = "\n\n".join(f"Table: {each}" for each in self._captions(inner, depth))
        rows = [
            self._converted_environment(
                match[2].strip().rstrip("*"), match[2], (_inside(inner, match) or ("", 0))[0], depth + 1
            )
            for match in _ENVIRONMENT.finditer(inner)
            if match[1] == "begin" and match[2].strip().rstrip("*") in TABULARS
        ]
        return f"\n\n{captions}\n\n{''.join(rows)}\n\n"

    def _table(self, inner: str, parameters: int, depth: int) -> str:
        given = option(inner, 0)
        inner = inner[arguments(inner, given[1] if given else 0, parameters)[1] :]
        rows = []
        for row in _ROW_END.split(inner):
            cells = [self.converted(cell, depth + 1) for cell in _cells(row)]
            cells = [_BLANK.sub(" ", cell.replace(_HARD, " ")).strip() for cell in cells]
            if any(cells):
                rows.append(" | ".join(cells))
        return f"\n\n{_HARD.join(rows)}\n\n"

    def _list(self, name: str, inner: str, depth: int) -> str:
        items = []
        for number, item in enumerate(_items(inner)):
            given = option(item, 0)
            mark = f"{number + 1}." if "enum" in name else "-"
            if given is not None:
                label = self.converted(given[0], depth + 1).strip()
                mark = f"- {label}:" if name == "description" else label
                item = item[given[1] :]
            body = self.converted(item, depth + 1).strip()
            items.append(f"{mark} {_PARAGRAPH_END.sub(_HARD, body)}")
        return f"\n\n{_HARD.join(items)}\n\n"

    def _command(self, name: str, text: str, end: int, depth: int) -> tuple[str, int]:
        def inner(content: str) -> str:
            return self.converted(content, depth + 1)

        if name in SECTIONS:
            given = option(text, end)
            found = argument(text, given[1] if given else end)
            if found is None:
                return "", end
            heading = " ".join(inner(found[0]).replace(_HARD, " ").split())
            return f"\n\n{SECTIONS[name]} {heading}\n\n" if heading else "", found[1]
        if name in CITED or name in CITED_IN_WORDS or name in REFERENCES:
            return self._reference(name, text, end)
        if name in ("footnote", "footnotetext"):
            found = argument(text, _behind_options(text, end))
            return ("", end) if found is None else (f" ({inner(found[0]).strip()})", found[1])
        if name in ("caption", "abstract"):
            found = argument(text, _behind_options(text, end))
            if found is None:
                return "", end
            mark = "## Abstract\n\n" if name == "abstract" else ""
            return f"\n\n{mark}{inner(found[0])}\n\n", found[1]
        if name in ("url", "path", "nolinkurl"):
            found = argument(text, end)
            return ("", end) if found is None else (self._hold(found[0].strip()), found[1])
        if name == "ensuremath":
            found = argument(text, end)
            return ("", end) if found is None else (self._math(found[0], display=False), found[1])
        if name in ("verb", "lstinline"):
            return self._verb(text, end)
        if name in KEPT_LAST:
            values, behind = arguments(text, _behind_options(text, end), KEPT_LAST[name])
            return inner(values[-1]) if values else "", behind
        if name in DROPPED:
            behind = _behind_options(text, end) if DROPPED[name] else end
            for _ in range(DROPPED[name]):
                behind = _behind_options(text, arguments(text, behind, 1)[1])
            return "", behind
        if name in ACCENTS and (len(name) == 1 and (not name.isalpha() or text[end : end + 1] in " {\\")):
            return self._accent(name, text, end, depth)
        if name in CHARACTERS:
            return CHARACTERS[name], _behind_name(name, text, end)
        symbol = _symbol(name)
        given = None if symbol or text[end : end + 1] != "[" else option(text, end)
        if given is not None and text[given[1] : given[1] + 1] == "{":
            return "", given[1]
        return symbol, _behind_name(name, text, end)

    def _reference(self, name: str, text: str, end: int) -> tuple[str, int]:
        found = argument(text, _behind_options(text, _behind_options(text, end)))
        if found is None:
            return "", end
        if name in REFERENCES:
            return ("([ref])" if name == "eqref" else "[ref]"), found[1]
        return ("[citation]" if name in CITED_IN_WORDS else _CITATION), found[1]

    def _verb(self, text: str, end: int) -> tuple[str, int]:
        end = _behind_options(text, end)
        mark = text[end : end + 1]
        close = text.find("}" if mark == "{" else mark, end + 1) if mark else -1
        return ("", end) if close < 0 else (self._hold(text[end + 1 : close]), close + 1)

    def _accent(self, name: str, text: str, end: int, depth: int) -> tuple[str, int]:
        found = argument(text, end)
        if found is None:
            return "", end
        letter = self.converted(found[0], depth + 1).strip().replace("ı", "i").replace("ȷ", "j")
        if not letter:
            return "", found[1]
        return unicodedata.normalize("NFC", letter[0] + ACCENTS[name] + letter[1:]), found[1]


_CITATION = "\x04"
"""In the place of a citation that is no part of the sentence."""
_NEWLINE = "\n"


@lru_cache(maxsize=32)
def _last(text: str, mark: str) -> int:
    """Where a mark stands last in a text."""
    return text.rfind(mark)


def _inside(text: str, begin: re.Match[str]) -> tuple[str, int] | None:
    """What an environment holds, and where it ends; None if it does not."""
    depth = 0
    for match in _ENVIRONMENT.finditer(text, begin.start()):
        if match[2] == begin[2]:
            depth += 1 if match[1] == "begin" else -1
            if depth == 0:
                return text[begin.end() : match.start()], match.end()
    return None


def _behind_arguments(inner: str, name: str) -> int:
    position = 0
    if name not in ("itemize", "enumerate", "description") and (given := option(inner, 0)) is not None:
        position = 0 if inner[:1] == "\n" else given[1]
    return arguments(inner, position, ENVIRONMENT_ARGUMENTS.get(name, 0))[1]


def _behind_options(text: str, position: int) -> int:
    given = option(text, position)
    return position if given is None else given[1]


def _behind_name(name: str, text: str, end: int) -> int:
    """Behind a command without arguments: TeX reads the space behind a word, and papers write `{}` there."""
    if not name.isalpha():
        return end
    if text.startswith("{}", end):
        return end + 2
    return end + 1 if text[end : end + 1] == " " and _symbol(name) + CHARACTERS.get(name, "") else end


def _cells(row: str) -> list[str]:
    """The cells of a row; an ampersand in a group or behind a backslash divides none."""
    cells, depth, start = [], 0, 0
    for match in re.finditer(r"\\.|[{}&]", row, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if match[0] == "&" and depth == 0:
            cells.append(row[start : match.start()])
            start = match.end()
    return [*cells, row[start:]]


def _items(inner: str) -> list[str]:
    r"""What stands behind each \\item of a list, but not of the lists in it."""
    starts: list[tuple[int, int]] = []
    depth = 0
    for match in re.finditer(r"\\(begin|end)\s*\{[^{}]*\}|\\item(?![A-Za-z])", inner):
        if match[1]:
            depth += 1 if match[1] == "begin" else -1
        elif depth == 0:
            starts.append((match.start(), match.end()))
    ends = [start for start, _ in starts[1:]] + [len(inner)]
    return [inner[begin:end] for (_, begin), end in zip(starts, ends, strict=True)]


@lru_cache(maxsize=4096)
def _symbol(name: str) -> str:
    """The character that a command without arguments stands for, if it does for one."""
    found = getattr(_symbols().get_macro_spec(name), "simplify_repl", None)
    return found if isinstance(found, str) and len(found.strip()) == 1 else ""


@lru_cache(maxsize=1)
def _symbols() -> Any:
    """What the library knows of commands."""
    try:
        from pylatexenc.latex2text import get_default_latex_context_db
    except ImportError as error:
        raise UserError("LaTeX is read with pylatexenc", hint="pip install 'coupage[documents]'") from error
    return get_default_latex_context_db()

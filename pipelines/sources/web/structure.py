"""Keeps code, tables and formulas of a page over an extractor that would lose them.

Before, each becomes plain words between two marks, in a paragraph or in its line, so that an extractor weighs
and keeps or drops them as it does any text. Afterwards, what is found between marks becomes Markdown: code in
fences with its lines, tables with bars, formulas as LaTeX in dollars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pipelines.sources.web.mathml import latex

Kind = Literal["code", "tables", "formulas"]
KINDS: tuple[Kind, ...] = ("code", "tables", "formulas")

SHOWN_WORDS = 200
"""So many words stand for a block in front of an extractor."""
LONGEST_CELL = 1_000
"""Characters of a cell; a table with a longer one lays out a page."""
MOST_COLUMNS = 100

_BEGIN, _WORDS, _END = "\U00014644", "\U00014645", "\U00014646"
"""Anatolian hieroglyphs: letters, as extractors drop what cannot be printed."""
_MARKS = re.compile(f"[{_BEGIN}{_WORDS}{_END}]")
_MARKED = re.compile(f"(\n*){_BEGIN}([0-9]{{1,9}}){_WORDS}[^{_BEGIN}{_WORDS}{_END}]*{_END}(\n*)")
_MAY_HAVE: dict[Kind, re.Pattern[str]] = {
    "code": re.compile(r"<(?:pre|code)\b", re.IGNORECASE),
    "tables": re.compile(r"<table\b", re.IGNORECASE),
    "formulas": re.compile(r"<math\b|math/tex|katex|<mjx-|mwe-math|MathJax|latex|mathtex", re.IGNORECASE),
}
_LANGUAGE = re.compile(r"(?:language-|lang-|highlight-source-|brush:\s*|sourceCode\s+)([A-Za-z0-9+#-]{1,20})")
_BLOCKS_IN_CODE = ("div", "p", "li", "tr")
_DELIMITERS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"))
_TEX = ("application/x-tex", "tex", "latex", "application/x-latex")


class Structures:
    """The blocks that were taken out of one page."""

    def __init__(self) -> None:
        self._blocks: list[str] = []

    @property
    def are_any(self) -> bool:
        """Whether there is a block."""
        return bool(self._blocks)

    def take(self, tree: Any, kinds: Sequence[Kind]) -> None:
        """Put words between marks in the place of what is to be kept; changes the tree."""
        if "formulas" in kinds:
            self._take_formulas(tree)
        if "code" in kinds:
            self._take_code(tree)
        if "tables" in kinds:
            self._take_tables(tree)

    def put_back(self, text: str) -> str:
        """The text with the blocks in the place of their words, each once."""
        left = dict(enumerate(self._blocks))

        def block(match: re.Match[str]) -> str:
            found = left.pop(int(match[2]), "")
            return found if found.startswith("\n") else f"{match[1]}{found}{match[3]}"

        return _MARKS.sub("", _MARKED.sub(block, text))

    def _mark(self, block: str, words: str) -> str:
        self._blocks.append(block)
        shown = " ".join(words.split()[:SHOWN_WORDS])
        return f"{_BEGIN}{len(self._blocks) - 1}{_WORDS}{shown}{_END}"

    def _take_formulas(self, tree: Any) -> None:
        for element, formula, is_block in list(_formulas(tree)):
            if element.getparent() is None or not _is_below(element, tree):
                continue
            formula = _bare(formula)
            dollars = "$$" if is_block else "$"
            found = f"{dollars}{formula}{dollars}" if formula else ""
            _replace_by_text(element, self._mark(found, formula) if found else "")

    def _take_code(self, tree: Any) -> None:
        for element in list(tree.iter("pre", "code")):
            if element.getparent() is None or not _is_below(element, tree):
                continue
            code = _code_of(element)
            lines = code.split("\n")
            if element.tag == "code" and len(lines) == 1:
                continue
            if all(line.strip().isdigit() for line in lines) and len(lines) > 1:
                _replace_by_text(element, "")  # the numbers of another element's lines
            elif code.strip():
                _replace_by_paragraph(element, self._mark(_fenced(code, _language(element)), code))

    def _take_tables(self, tree: Any) -> None:
        for table in list(tree.iter("table")):
            if table.getparent() is None or not _is_below(table, tree):
                continue
            rows = _rows(table, self)
            if rows is not None:
                words = " ".join(cell for row in rows for cell in row)
                _replace_by_paragraph(table, self._mark(_markdown(rows), _MARKS.sub(" ", words)))


def kinds_within(html: str, kinds: Sequence[Kind]) -> list[Kind]:
    """Those of the kinds that a page may have; a page without any needs no tree."""
    return [kind for kind in kinds if _MAY_HAVE[kind].search(html)]


def _is_below(element: Any, tree: Any) -> bool:
    """Whether it is still in the tree, and not in what was taken out of it."""
    root = element.getroottree().getroot()
    return root is tree.getroottree().getroot()


def _replace_by_text(element: Any, text: str) -> None:
    parent = element.getparent()
    text += element.tail or ""
    before = element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + text
    else:
        before.tail = (before.tail or "") + text
    parent.remove(element)


def _replace_by_paragraph(element: Any, text: str) -> None:
    paragraph = element.makeelement("p")
    paragraph.text = text
    paragraph.tail = element.tail
    element.getparent().replace(element, paragraph)


def _formulas(tree: Any) -> Iterator[tuple[Any, str, bool]]:
    """Elements that show a formula, its source, and whether it has a line of its own; outer ones first."""
    for element in tree.iter("span", "div", "math", "script", "mjx-container", "img"):
        name, style = element.tag, element.get("class") or ""
        if name == "script":
            kind = (element.get("type") or "").lower()
            if kind.startswith("math/tex"):
                yield element, element.text or "", "display" in kind
            elif kind.startswith("math/mml"):
                yield element, _of_markup(element.text or ""), False
        elif name == "math":
            yield element, _of_math(element), element.get("display") == "block"
        elif name == "mjx-container" or any(word in style.split() for word in _RENDERED):
            found = next(element.iter("math"), None)
            is_block = "katex-display" in style or element.get("display") == "true" or "block" in style
            if found is not None:
                yield element, _of_math(found), is_block or found.get("display") == "block"
            elif name == "mjx-container" or any(word in style.split() for word in _WITH_SCRIPT):
                yield element, "", False
        elif name == "img" and _IMAGE.search(style):
            yield element, element.get("alt") or "", "display" in style


_WITH_SCRIPT = ("MathJax", "MathJax_Display", "MathJax_Preview", "MathJax_SVG")
"""What stands beside a script with the source of the formula."""
_RENDERED = ("katex-display", "katex", "mwe-math-element", *_WITH_SCRIPT)
_IMAGE = re.compile(r"\b(?:tex|latex|math-fallback-image|mwe-math-fallback-image|mathtex)\b", re.IGNORECASE)


def _of_math(math: Any) -> str:
    for annotation in math.iter("annotation"):
        if (annotation.get("encoding") or "").lower() in _TEX:
            return "".join(annotation.itertext())
    return math.get("alttext") or latex(math)


def _of_markup(text: str) -> str:
    from lxml import etree, html

    try:
        math = html.fragment_fromstring(text, create_parent=True).find(".//math")
    except (etree.ParserError, ValueError):
        return ""
    return "" if math is None else _of_math(math)


def _bare(formula: str) -> str:
    """The formula on one line, without the delimiters around it."""
    formula = " ".join(_MARKS.sub("", formula).split())
    for begin, end in _DELIMITERS:
        if formula.startswith(begin) and formula.endswith(end) and len(formula) > len(begin) + len(end):
            formula = formula.removeprefix(begin).removesuffix(end).strip()
            break
    styled = re.fullmatch(r"\{\\displaystyle (.*)\}", formula)
    return styled[1].strip() if styled else formula


def _code_of(element: Any) -> str:
    """The text of code with its lines, of which some pages make elements."""
    parts: list[str] = []

    def add(text: str | None) -> None:
        if text:
            parts.append(text)

    def end_line() -> None:
        if parts and not parts[-1].endswith("\n"):
            parts.append("\n")

    lines_are_spans = "\n" not in "".join(element.itertext()).strip()
    for event, node in _walk(element):
        if event == "start":
            if node.tag == "br":
                parts.append("\n")
            elif node is not element and _is_line(node, lines_are_spans):
                end_line()
            add(node.text if isinstance(node.tag, str) else None)
        else:
            if node is not element and _is_line(node, lines_are_spans):
                end_line()
            if node is not element:
                add(node.tail)
    return _MARKS.sub("", "".join(parts).replace("\xa0", " ").replace("\r\n", "\n")).strip("\n").rstrip()


def _is_line(node: Any, lines_are_spans: bool) -> bool:
    if node.tag in _BLOCKS_IN_CODE:
        return True
    return lines_are_spans and node.tag in ("span", "code") and "line" in (node.get("class") or "").split()


def _walk(element: Any) -> Iterator[tuple[str, Any]]:
    from lxml import etree

    yield from etree.iterwalk(element, events=("start", "end"))


def _language(element: Any) -> str:
    inner = element.find("code")
    around = element.getparent()
    for each in (element, inner, around, around.getparent() if around is not None else None):
        found = _LANGUAGE.search(each.get("class") or "") if each is not None else None
        if found:
            return found[1].lower()
    return ""


def _fenced(code: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n\n{fence}{language}\n{code}\n{fence}\n\n"


def _rows(table: Any, structures: Structures) -> list[list[str]] | None:
    """The cells of a table of data; None of one that lays out the page."""
    if (table.get("role") or "").lower() in ("presentation", "none"):
        return None
    for _ in table.iterdescendants("table", "form", "input", "select", "textarea", "iframe", "h1", "h2"):
        return None
    rows = []
    for row in table.iter("tr"):
        cells: list[str] = []
        for cell in row.iterchildren("td", "th"):
            cells.append(structures.put_back(" ".join(" ".join(cell.itertext()).split())))
            span = cell.get("colspan") or ""
            cells += [""] * (min(int(span), MOST_COLUMNS) - 1 if span.isascii() and span.isdigit() else 0)
        if any(cells):
            rows.append(cells)
    width = max(map(len, rows), default=0)
    is_of_data = len(rows) > 1 and 1 < width <= MOST_COLUMNS
    if not is_of_data or any(len(cell) > LONGEST_CELL or "\n" in cell for row in rows for cell in row):
        return None
    return [row + [""] * (width - len(row)) for row in rows]


def _markdown(rows: list[list[str]]) -> str:
    head, *rest = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    rule = "|" + " --- |" * len(rows[0])
    return "\n\n" + "\n".join([head, rule, *rest]) + "\n\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

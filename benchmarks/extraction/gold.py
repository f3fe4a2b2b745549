"""Gold code, tables and formulas of pages whose gold text has none of their shape.

People marked which text of a page is its main content; the page's own markup says which of that is code, a
table or a formula. An element counts as gold if its words (of a formula, those around it) are in the gold
text.
"""

from typing import Any, NamedTuple

from lxml.html import HTMLParser, document_fromstring

from benchmarks.extraction.measures import words

CONTAINED = 0.9
"""Share of the words of an element that are in the gold text, at least."""
FEWEST_WORDS = 5
_TEX = ("application/x-tex", "tex", "latex")


class Structures(NamedTuple):
    """What is to be found on a page besides its words."""

    code: list[str]
    cells: list[str]
    formulas: list[str]


def structures_of(html: str, gold_text: str) -> Structures:
    """The code, cells of tables, and formulas of a page's main content."""
    if not any(name in html for name in ("<pre", "<table", "<math", "math/tex")):
        return Structures([], [], [])
    tree = document_fromstring(html.encode("utf-8", "replace"), HTMLParser(encoding="utf-8"))
    known = set(words(gold_text))
    code = [text for pre in tree.iter("pre") if _is_gold(text := _lines(pre), known) and not _is_gutter(text)]
    cells = [cell for table in tree.iter("table") for cell in _cells(table, known)]
    formulas = [source for element, source in _sources(tree) if _is_gold(_around(element), known)]
    return Structures(code, cells, formulas)


def _is_gold(text: str, known: set[str]) -> bool:
    found = words(text)
    return len(found) >= FEWEST_WORDS and sum(word in known for word in found) >= CONTAINED * len(found)


def _lines(pre: Any) -> str:
    for line_break in list(pre.iter("br")):
        line_break.tail = "\n" + (line_break.tail or "")
    return str(pre.text_content()).replace("\xa0", " ").replace("\r\n", "\n").strip("\n").rstrip()


def _is_gutter(text: str) -> bool:
    return all(line.strip().isdigit() for line in text.split("\n"))


def _cells(table: Any, known: set[str]) -> list[str]:
    if any(True for _ in table.iterdescendants("table", "form", "input", "pre")):
        return []
    rows = [
        [" ".join(cell.text_content().split()) for cell in row.iterchildren("td", "th")]
        for row in table.iter("tr")
    ]
    rows = [row for row in rows if any(row)]
    if len(rows) < 2 or max(map(len, rows)) < 2 or not _is_gold(" ".join(map(" ".join, rows)), known):
        return []
    return [cell for row in rows for cell in row]


def _sources(tree: Any) -> list[tuple[Any, str]]:
    found = []
    for element in tree.iter("annotation", "script"):
        kind = (element.get("encoding") or element.get("type") or "").lower()
        source = " ".join("".join(element.itertext()).split())
        source = (
            source.removeprefix("{\\displaystyle ").removesuffix("}")
            if source.startswith("{\\disp")
            else source
        )
        if source and (kind in _TEX or kind.startswith("math/tex")):
            found.append((element, source.strip()))
    return found


def _around(element: Any) -> str:
    """The words of the nearest element around a formula that has some besides formulas."""
    for parent in element.iterancestors("p", "li", "td", "div", "section", "article"):
        text = " ".join(
            node.strip()
            for node in parent.xpath(".//text()[not(ancestor::math or ancestor::script or ancestor::style)]")
        )
        if len(words(text)) >= FEWEST_WORDS:
            return text
    return ""

"""Text of XHTML: paragraphs, headings as in Markdown, lists, tables, and formulas as LaTeX."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Any

from pipelines.errors import UserError
from pipelines.sources.web.mathml import latex

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_ENTITIES = {b"amp", b"lt", b"gt", b"quot", b"apos"}
_SPACE = re.compile(r"[ \t\r\n\f]+")

_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd div dl dt fieldset figcaption figure footer "
    "form header hr li main ol p pre section table tbody tfoot thead tr ul".split()
) | set(_HEADINGS)
_UNSEEN = frozenset("head script style nav svg rt rp template noscript iframe object audio video".split())


def parse_xml(content: bytes) -> Any:
    """The tree of an XML document, in which nothing from outside, and no entity, is put in.

    Raises:
        ValueError: It is none.
    """
    try:
        from lxml import etree
    except ImportError as error:
        raise UserError("EPUBs are read with lxml", hint="pip install 'coupage[documents]'") from error
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(_ENTITY.sub(_as_character, content), parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error
    if root is None:
        raise ValueError("no XML")
    return root


def prose(root: Any) -> str:
    """The text of an XHTML document."""
    from lxml import etree

    written = _Written()
    unseen: Any = None
    for event, element in etree.iterwalk(root, events=("start", "end", "comment")):
        if event == "comment" or not isinstance(element.tag, str):
            written.add(element.tail if unseen is None else None)
            continue
        name = etree.QName(element).localname.lower()
        if event == "start":
            if unseen is None and (name in _UNSEEN or name == "math" or _is_page_number(element)):
                unseen = element
                if name == "math":
                    written.add_formula(latex(element), element.get("display"))
            if unseen is None:
                written.begin(name)
                written.add(element.text)
        else:
            if unseen is None:
                written.end(name)
            elif unseen is element:
                unseen = None
            if unseen is None and element is not root:
                written.add(element.tail)
    return written.text()


def _is_page_number(element: Any) -> bool:
    """Whether an element says where a page of the printed book begins."""
    kinds = f"{element.get(_EPUB_TYPE) or ''} {element.get('role') or ''}".split()
    return "pagebreak" in kinds or "doc-pagebreak" in kinds


class _Written:
    """The text so far."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._mark = ""
        self._as_it_is = 0

    def add(self, text: str | None) -> None:
        """Write within a line."""
        if text:
            self._line.append(text if self._as_it_is else _SPACE.sub(" ", text))

    def add_formula(self, formula: str, display: str | None) -> None:
        """Write a formula, in LaTeX, within a line or as a block."""
        if not formula:
            return
        if display == "block":
            self._break()
            self._line = ["$$", formula, "$$"]
            self._break()
        else:
            self._line += ["$", formula, "$"]

    def begin(self, name: str) -> None:
        """An element begins."""
        if name in _BLOCKS:
            self._break()
        if name in _HEADINGS:
            self._mark = _HEADINGS[name] + " "
        elif name == "li":
            self._mark = "- "
        elif name == "br":
            self._line.append("\n")
        elif name in ("td", "th") and any(part.strip() for part in self._line):
            self._line.append(" | ")
        self._as_it_is += name == "pre"

    def end(self, name: str) -> None:
        """An element ends."""
        if name in _BLOCKS:
            self._break()
        self._as_it_is -= name == "pre"

    def _break(self) -> None:
        line = "".join(self._line)
        if self._as_it_is:
            line = line.strip("\n")
        else:
            line = "\n".join(_SPACE.sub(" ", each).strip() for each in line.split("\n")).strip()
        self._line = []
        if not line.strip():
            return
        is_heading = self._mark.startswith("#")
        self._blocks.append(self._mark + (line.replace("\n", " ") if is_heading else line))
        self._mark = ""

    def text(self) -> str:
        """All of it; a blank line between blocks, none between the items of a list."""
        self._break()
        text = ""
        previous = ""
        for block in self._blocks:
            are_items = block.startswith("- ") and previous.startswith("- ")
            text += ("\n" if are_items else "\n\n" if text else "") + block
            previous = block
        return text


def _as_character(match: re.Match[bytes]) -> bytes:
    """A named entity of HTML, which XML does not know, as its character."""
    if match[1] in _XML_ENTITIES:
        return match[0]
    character = html5.get(f"{match[1].decode()};")
    return "".join(f"&#{ord(each)};" for each in character).encode() if character else match[0]

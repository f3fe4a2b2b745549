"""A page that is to be extracted: as characters, or as a tree that is made once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from pipelines.sources.web.structure import Kind, Structures, kinds_within


class Page:
    """A page of which code, tables and formulas are kept."""

    def __init__(self, html: str, kept: Sequence[Kind]) -> None:
        self._html = html
        self._structures = Structures()
        self._kinds = kinds_within(self._html, kept)

    @cached_property
    def html(self) -> str:
        """The page as text."""
        from lxml import html

        if not self._kinds:
            return self._html
        tree = self.tree
        return str(html.tostring(tree, encoding="unicode")) if self._structures.are_any else self._html

    @cached_property
    def tree(self) -> Any:
        """The page as a tree of lxml."""
        tree = parsed(self._html)
        if self._kinds:
            self._structures.take(tree, self._kinds)
        return tree

    def finished(self, text: str) -> str:
        """An extractor's text with what was kept."""
        return (self._structures.put_back(text) if self._kinds else text).strip()


def parsed(html: str) -> Any:
    """The tree of a page; of an empty one, an empty tree."""
    from lxml import etree
    from lxml.html import HTMLParser, document_fromstring

    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        return document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return document_fromstring(b"<html><body></body></html>")

"""A page's HTML cut down for a model: without scripts, styles, comments, and all but few attributes.

As ReaderLM-v2 (Wang et al. 2025) and MinerU-HTML (Liu et al. 2025) cut it before they read it.
"""

from typing import Any

from pipelines.sources.web.extractors.page import Page
from pipelines.sources.web.structure import Kind

LIBRARIES = ("lxml",)
LOSES: tuple[Kind, ...] = ()
"""What it loses unless it is kept for it."""
_DROPPED = tuple("script style noscript template svg iframe link meta object embed canvas".split())
_KEPT_ATTRIBUTES = ("class", "id", "href", "alt", "colspan", "rowspan", "type", "encoding")
_LONGEST_ATTRIBUTE = 200


def extract(page: Page) -> str:
    """The page with what a model needs to see; empty if there is nothing."""
    from lxml import html

    tree = page.tree
    for element in list(tree.iter(*_DROPPED)):
        if not (element.get("type") or "").startswith("math/") and element.getparent() is not None:
            element.drop_tree()
    for element in tree.iter():
        if isinstance(element.tag, str):
            _keep_few_attributes(element)
    body = tree.find("body")
    reduced = html.tostring(tree if body is None else body, encoding="unicode")
    return page.finished("\n".join(line.rstrip() for line in reduced.split("\n") if line.strip()))


def _keep_few_attributes(element: Any) -> None:
    for name in list(element.attrib):
        if name not in _KEPT_ATTRIBUTES or len(element.attrib[name]) > _LONGEST_ATTRIBUTE:
            del element.attrib[name]

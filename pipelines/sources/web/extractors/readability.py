"""readability-lxml, a port of Arc90's and Mozilla's Readability: the element with the densest text."""

from pipelines.sources.web.extractors.page import Page
from pipelines.sources.web.extractors.whole_page import text_of
from pipelines.sources.web.structure import KINDS, Kind

LIBRARIES = ("readability-lxml", "Resiliparse", "lxml")
LOSES: tuple[Kind, ...] = KINDS
"""What it loses unless it is kept for it."""


def extract(page: Page) -> str:
    """The main text; empty if there is none."""
    from readability import Document
    from readability.readability import Unparseable

    try:
        return page.finished(text_of(Document(page.tree).summary()))
    except Unparseable:
        return ""

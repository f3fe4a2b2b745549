"""trafilatura (Barbaresi 2021), with the settings of FineWeb (Penedo et al. 2024; datatrove's `Trafilatura`).

Paragraphs that recur are looked for within a page only, so that a page's text does not depend on others.
"""

from pipelines.sources.web.extractors.page import Page
from pipelines.sources.web.structure import Kind

LIBRARIES = ("trafilatura", "jusText", "lxml")
LOSES: tuple[Kind, ...] = ("code", "formulas")
"""What it loses unless it is kept for it."""
_REMEMBERED = 4096
"""Paragraphs of a page: as many as trafilatura remembers of all."""


def extract(page: Page) -> str:
    """The main text; empty if there is none."""
    from trafilatura import extract as find_text
    from trafilatura.deduplication import LRUCache

    found = find_text(
        page.tree, favor_precision=True, include_comments=False, deduplicate=LRUCache(maxsize=_REMEMBERED)
    )
    return page.finished(found or "")

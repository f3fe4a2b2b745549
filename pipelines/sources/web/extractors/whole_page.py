"""All visible text of a page: the baseline that any extractor of main text must beat."""

from pipelines.sources.web.extractors.page import Page
from pipelines.sources.web.structure import KINDS, Kind

LIBRARIES = ("Resiliparse", "lxml")
LOSES: tuple[Kind, ...] = KINDS
"""What it loses unless it is kept for it."""


def extract(page: Page) -> str:
    """The text; empty if there is none."""
    return page.finished(text_of(page.html))


def text_of(html: str) -> str:
    """All visible text of HTML, line by line."""
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(html, main_content=False, alt_texts=False, preserve_formatting=True))

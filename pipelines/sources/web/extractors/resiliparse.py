"""Resiliparse (Bevendorff et al. 2018), as DCLM uses it (Li et al. 2024): the main text, no links."""

from pipelines.sources.web.extractors.page import Page
from pipelines.sources.web.structure import KINDS, Kind

LIBRARIES = ("Resiliparse", "lxml")
LOSES: tuple[Kind, ...] = KINDS
"""What it loses unless it is kept for it."""


def extract(page: Page) -> str:
    """The main text; empty if there is none."""
    from resiliparse.extract.html2text import extract_plain_text

    text = extract_plain_text(page.html, main_content=True, alt_texts=False, preserve_formatting=True)
    return page.finished(text)

"""The extractors by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.sources.web.extractors import readability, reduced_html, resiliparse, trafilatura, whole_page
from pipelines.sources.web.extractors.page import Page
from pipelines.sources.web.structure import Kind


class Extractor(NamedTuple):
    """What finds the text of a page."""

    extract: Callable[[Page], str]
    libraries: tuple[str, ...]
    """Whose versions decide the text, as package indexes call them."""
    loses: tuple[Kind, ...]
    """What it loses unless it is kept for it."""

    def text(self, html: str, keep: Sequence[Kind]) -> str:
        """The text of a page, with what of it is to be kept; empty if there is none."""
        return self.extract(Page(html, [kind for kind in keep if kind in self.loses]))


EXTRACTORS: dict[str, Extractor] = {
    "trafilatura": Extractor(trafilatura.extract, trafilatura.LIBRARIES, trafilatura.LOSES),
    "resiliparse": Extractor(resiliparse.extract, resiliparse.LIBRARIES, resiliparse.LOSES),
    "readability": Extractor(readability.extract, readability.LIBRARIES, readability.LOSES),
    "whole_page": Extractor(whole_page.extract, whole_page.LIBRARIES, whole_page.LOSES),
    "endpoint": Extractor(reduced_html.extract, reduced_html.LIBRARIES, reduced_html.LOSES),
}
"""Of `endpoint` what is done before its model is asked."""

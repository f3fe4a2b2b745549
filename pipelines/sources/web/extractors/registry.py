"""The extractors by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipelines.sources.web.extractors import readability, reduced_html, resiliparse, trafilatura, whole_page
from pipelines.sources.web.extractors.page import Page


class Extractor(NamedTuple):
    """What finds the text of a page."""

    extract: Callable[[Page], str]
    libraries: tuple[str, ...]
    """Whose versions decide the text, as package indexes call them."""


EXTRACTORS: dict[str, Extractor] = {
    "trafilatura": Extractor(trafilatura.extract, trafilatura.LIBRARIES),
    "resiliparse": Extractor(resiliparse.extract, resiliparse.LIBRARIES),
    "readability": Extractor(readability.extract, readability.LIBRARIES),
    "whole_page": Extractor(whole_page.extract, whole_page.LIBRARIES),
    "endpoint": Extractor(reduced_html.extract, reduced_html.LIBRARIES),
}
"""Of `endpoint` what is done before its model is asked."""

"""What decides the text of web pages besides the pages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipelines.sources.web.options import Pages

WEB_ARCHIVE_SUFFIXES = (".warc", ".wet", ".arc")
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")


def pages_identity(pages: Pages) -> dict[str, Any]:
    """Our version and the extractor's libraries', for a source that has web pages."""
    from pipelines.sources.web.extractors.registry import EXTRACTORS
    from pipelines.sources.web.read import VERSION

    libraries = EXTRACTORS[pages.extractor].libraries
    return {"pages": {"version": VERSION, **{library: _version(library) for library in libraries}}}


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None

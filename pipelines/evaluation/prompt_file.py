"""Prompts from a file of the user's."""

from __future__ import annotations

from pipelines.sources.base import Quarantine
from pipelines.sources.given_files import GivenFiles
from pipelines.sources.quarantine import count_quarantine


def read_prompts(path: str) -> list[str]:
    """The column `text` of a file. Raises UserError where there is none."""
    given = GivenFiles.find([path])
    quarantine = Quarantine()
    tables = given.read_file(given.files[0], quarantine)
    texts = [text for table in tables for text in table.column("text").to_pylist()]
    count_quarantine(quarantine, len(texts))
    return texts

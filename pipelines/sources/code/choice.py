"""Which files of a repository are source code that people wrote, and what the others are."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.sources.code.attributes import Said
from pipelines.sources.code.content import MAX_SOURCE_BYTES, Text, decoded, is_binary, is_large_file_pointer
from pipelines.sources.code.generated import generated_kind
from pipelines.sources.code.languages import Language, language, language_called, language_of
from pipelines.sources.code.objects import Entry
from pipelines.sources.code.vendored import is_documentation, is_vendored

VERSION = 1
"""To be raised when other files of a repository are chosen."""

SOURCE_TYPES = ("programming", "markup")
NOTEBOOK = "Jupyter Notebook"
"""A notebook's file is JSON with its outputs: it is read only where it is asked for."""


@dataclass(frozen=True)
class Source:
    """A file that is read."""

    language: Language
    text: Text


@dataclass(frozen=True)
class Choice:
    """What a recipe asks for."""

    languages: frozenset[str] | None = None
    """By linguist's names; None: all languages of programming and markup."""
    documentation: bool = False

    def unread_by_path(self, entry: Entry, said: Said) -> str | None:
        """What a file is that is not read, as far as it can be told without its content; None of others."""
        if entry.kind is not None:
            return entry.kind
        if is_vendored(entry.path) if said.vendored is None else said.vendored:
            return "vendored"
        if said.generated:
            return "generated"
        if said.generated is None and (kind := generated_kind(entry.path)):
            return kind
        is_about = is_documentation(entry.path) if said.documentation is None else said.documentation
        if is_about and not self.documentation:
            return "documentation"
        if entry.size == 0:
            return "empty"
        return "too large" if entry.size is not None and entry.size > MAX_SOURCE_BYTES else None

    def read(self, path: str, content: bytes, said: Said) -> Source | str:
        """A file as source code, or what it is instead."""
        if is_large_file_pointer(content):
            return "git-lfs pointer"
        text = None if is_binary(content) else decoded(content)
        if text is None:
            return "binary"
        if said.generated is None and (kind := generated_kind(path, content)):
            return kind
        found = _language_said(said) or language_of(path, content)
        if found is None:
            return "of no known language"
        return Source(found, text) if self._asks_for(found) else self._other(found)

    def _asks_for(self, found: Language) -> bool:
        if self.languages is not None:
            return found.name in self.languages
        if found.name == NOTEBOOK:
            return False
        return found.type in SOURCE_TYPES or (self.documentation and found.type == "prose")

    def _other(self, found: Language) -> str:
        if self.languages is not None:
            return "of another language"
        return "notebook" if found.name == NOTEBOOK else found.type


def _language_said(said: Said) -> Language | None:
    try:
        return language(language_called(said.language.replace("-", " "))) if said.language else None
    except ValueError:
        return None

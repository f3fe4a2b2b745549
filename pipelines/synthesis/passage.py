"""A passage: what a model is asked about at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

Turns = tuple[Mapping[str, str], ...]
"""A conversation: each turn has a `role` and a `content`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A document, or a piece of one that is cut at paragraphs."""

    id: str
    """Unique in a run: the id of its document, `#` and the number of the piece."""
    parent_id: str
    """Its document."""
    text: str
    language: str
    """A code such as `en`, or `und`."""
    source: str
    domain: str
    license: str | None = None
    messages: Turns | None = None
    """The conversation, where the document is one; then `text` is its plain rendering."""
    template_fields: str | None = None
    """What a chat template gets besides, as in a corpus part: JSON or None."""
    related: tuple[Passage, ...] = ()
    """Passages of other documents on the same topic, the nearest first, for methods that ask for them."""

    def with_related(self, related: tuple[Passage, ...]) -> Passage:
        """The same passage beside others."""
        return replace(self, related=related)

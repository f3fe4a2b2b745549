"""What a source's first records are like, and what they tell of the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Refused:
    """A record that is no document, or a file that cannot be read."""

    file: str
    position: str
    reason: str
    fields: dict[str, Any] = field(default_factory=dict)
    """The record; empty where it could not be parsed."""


@dataclass(frozen=True)
class Preview:
    """The first records, and estimates of the whole source within its limit."""

    documents: pa.Table
    refused: tuple[Refused, ...]
    """The first of those that are no documents."""
    records: int
    text_bytes: int
    input_bytes: int
    """As stored."""
    recognised: str | None = None
    """The format of conversations that records without a text were found to have."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the source."""
        return self.records == 0

    @property
    def is_refused(self) -> bool:
        """Whether there are records, and none that was read is a document."""
        return bool(self.refused) and self.documents.num_rows == 0

"""What is known of a source before the run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceEstimate:
    """A source. Tokens are those of all its documents until they are tokenized, then of the kept ones."""

    source: str
    group: str
    input_bytes: int | None
    """As stored, within the limit."""
    text_bytes: int | None
    documents: int | None
    tokens: int | None
    loss_tokens: int | None
    exact: bool
    """Whether documents were counted, not estimated."""
    usable: float
    """The share of these tokens that may be trained on: selected, and not held out."""

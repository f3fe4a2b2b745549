"""Variants of a model beside each other: the base as it is, with a prompt, with passages, and tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pipelines.evaluation.generation import Answers as Answers
from pipelines.evaluation.in_context import Context

Kind = Literal["base", "prompt", "passages", "stage", "merged", "remedy", "also"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One column of the comparison."""

    name: str
    """As it is called there; unlike all others."""
    kind: Kind
    model: str
    """Folder or hub id."""
    context: Context | None = None
    """What is put before all that it is asked."""
    context_is: str = ""
    """What tells `context` from others, for the fingerprints of results."""
    share: float | None = None
    """Of a merged model: the last stage's."""

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return {"name": self.name, "kind": self.kind, "model": self.model, "share": self.share}

"""The checks of new text and their settings."""

from __future__ import annotations

from pydantic import BaseModel, Field

from pipelines.settings import STRICT

VERSION = 1
"""To be raised when the same drafts pass or fail otherwise."""


class Checks(BaseModel):
    """What new text must pass."""

    model_config = STRICT

    min_words: int = Field(3, ge=0, description="Words of an answer, or of a text, at least.")
    max_words: int = Field(4_000, ge=1, description="At most.")

"""Passages of Stage 1 documents that are put before questions, in `outcome:` of a recipe."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RetrievedPassages(BaseModel):
    """Retrieval-augmented generation: which passages the base model is given with each question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(3, gt=0, description="Passages before each question.")
    characters: int = Field(1_000, ge=100, description="Of a passage at most; longer documents are cut.")

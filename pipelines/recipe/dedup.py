"""The `dedup:` section of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import (
    BaseModel,
    Field,
)

from filters.dedup.boilerplate import Boilerplate
from filters.dedup.minhash import MinHash
from pipelines.settings import STRICT, Name


class RecurringLines(Boilerplate):
    """Lines or paragraphs that recur across the documents of a source; conversations keep theirs."""

    sources: list[Name] | None = Field(
        None, description="The sources that are cleaned; when left out, all that are no code."
    )

    def without_sources(self) -> Boilerplate:
        """What counts as boilerplate, wherever that is."""
        return Boilerplate(**self.model_dump(exclude={"sources"}))


class Dedup(BaseModel):
    """What counts as a duplicate, and which of several is kept."""

    model_config = STRICT

    exact: bool = Field(True, description="Remove documents whose normalised text is the same.")
    minhash: MinHash | None = Field(
        default_factory=MinHash,
        description="Near duplicates by MinHash, each pair verified; null turns it off.",
    )
    keep: tuple[Literal["priority", "quality", "length"], ...] = Field(
        default=("priority", "length"),
        description="Which duplicate survives: of the highest priority, then the longest, then the first. "
        "`quality` is the percentile by the classifier or ensemble of that name.",
    )
    against: tuple[Name, ...] = Field(
        default=(),
        description="Sources that are only compared with, such as an older corpus: they always win, are not "
        "judged and never trained on.",
    )
    boilerplate: RecurringLines | None = Field(
        None, description="Removes lines or paragraphs that recur across documents; null leaves them."
    )

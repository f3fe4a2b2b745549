"""How a vocabulary is changed."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class VocabularyExtension(BaseModel):
    """How to extend a vocabulary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int | None = Field(
        None, gt=0, description="Tokens to add at most; fewer if no pair is seen twice any more."
    )
    min_gain: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Stop where the next token would save less than this share of the text's tokens, such as "
        "0.00002.",
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.tokens is None and self.min_gain is None:
            raise ValueError("say how many `tokens` at most, or the `min_gain` of the last, or both")
        return self


class VocabularyReplacement(BaseModel):
    """How to put new tokens in the place of old ones that are not needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int = Field(gt=0, description="Tokens to replace.")
    scripts: tuple[str, ...] = Field(
        (),
        description="Unicode scripts whose tokens may go, such as Han or Hangul; of none named, those that "
        "neither the reference nor the text to learn from uses.",
    )

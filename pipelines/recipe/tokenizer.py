"""The `tokenizer:` section of a recipe."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator

from pipelines.settings import STRICT, Name
from tokenizer_tools.train import TokenizerTraining
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement


class Replacement(VocabularyReplacement):
    """New tokens in the place of old ones that are not needed."""

    reference: list[Name] = Field(
        [],
        description="Sources whose documents show which tokens are used least; none: those that stage1 is "
        "made of.",
    )


class Tokenizer(BaseModel):
    """The tokenizer: an existing one by `base`, perhaps changed, or one trained on the selected text."""

    model_config = STRICT

    base: str | None = Field(
        None, description="A tokenizer.json, a model folder or a hub id; null trains one."
    )
    extend: VocabularyExtension | None = Field(
        None,
        description="Tokens that are added to the base's, learnt from documents of stage1 by its weights.",
    )
    replace: Replacement | None = Field(
        None, description="New tokens in the place of old ones that are not needed: as many ids as before."
    )
    train: TokenizerTraining = Field(
        default_factory=TokenizerTraining, description="How a tokenizer is trained where there is no base."
    )
    chat_template: str | None = Field(
        None,
        description="A Jinja file that renders conversations, instead of the tokenizer's own template; its "
        "path begins at the recipe's folder.",
    )

    @model_validator(mode="after")
    def _changes_a_base(self) -> Self:
        if self.base is None and self.is_changed:
            key = "extend" if self.extend else "replace"
            raise ValueError(f"`{key}` changes an existing tokenizer: name it with `base`")
        return self

    @property
    def is_changed(self) -> bool:
        """Whether the run's tokenizer has other tokens than its base."""
        return self.extend is not None or self.replace is not None

    @property
    def most_new_tokens(self) -> int | None:
        """How many tokens the run's tokenizer has at most that its base lacks; None: nobody knows yet."""
        if self.extend is not None and self.extend.tokens is None:
            return None
        added = self.extend.tokens or 0 if self.extend else 0
        return added + (self.replace.tokens if self.replace else 0)

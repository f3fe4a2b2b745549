"""The `outcome:` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from pipelines.recipe.facts import Facts
from pipelines.recipe.language_confusion import LanguageConfusion
from pipelines.recipe.mera import Mera
from pipelines.recipe.passages import RetrievedPassages
from pipelines.recipe.remedies import Remedies
from pipelines.settings import STRICT

Weight = Annotated[float, Field(gt=0, lt=1)]


class Margins(BaseModel):
    """Changes from the base that do not count: a verdict falls when an interval lies beyond them."""

    model_config = STRICT

    bits_per_byte: float = Field(0.01, ge=0, description="Of held-out text.")
    score: float = Field(0.01, ge=0, description="Of benchmarks, from 0 to 1.")
    facts: float = Field(0.02, ge=0, description="Of the share of facts answered, or invented.")
    confusion: float = Field(0.02, ge=0, description="Of the share of answers in the right language.")
    long_context: float = Field(0.05, ge=0, description="Of the share of facts found in long texts.")
    new_tokens: float = Field(0.0, ge=0, description="Of the share of new tokens that are under-trained.")


class Outcome(BaseModel):
    """What `coupage outcome` holds beside each other, and what counts as a change.

    Benchmarks, facts in long texts and the batch size are those of `evaluate`.
    """

    model_config = STRICT

    domain: tuple[str, ...] | None = Field(
        None, description="The groups that the model is adapted to; null: all that are not general."
    )
    general: tuple[str, ...] = Field(
        (), description="The groups by which forgetting is measured, such as general web text."
    )
    general_tasks: tuple[str, ...] = Field(
        (), description="Those of `evaluate.harness` by which forgetting is measured, as mmlu."
    )
    prompt: str | None = Field(
        None, min_length=1, description="Put before what the base is asked: the base with a prompt."
    )
    prompt_file: str | None = Field(None, description="The same, from a text file.")
    passages: RetrievedPassages | None = Field(
        None,
        description="Passages of Stage 1 put before what the base is asked: retrieval; {} for the defaults.",
    )
    facts: Facts | None = Field(None, description="Questions and answers by which hallucination is measured.")
    language_confusion: LanguageConfusion | None = Field(
        None, description="Prompts that are to be answered in some language; {} for held-out beginnings."
    )
    mera: Mera | None = Field(None, description="MERA, the benchmark of Russian.")
    merge: tuple[Weight, ...] = Field(
        (),
        description="Merged models: the shares of the last stage's weights beside the base's, as [0.3, 0.5].",
    )
    remedies: Remedies = Field(
        Remedies(), description="The last stage trained again with more replay or another learning rate."
    )
    margins: Margins = Margins()

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.prompt is not None and self.prompt_file is not None:
            raise ValueError("`prompt` and `prompt_file` say the same; give one of them")
        if both := set(self.domain or ()) & set(self.general):
            raise ValueError(f"`{min(both)}` is named as domain and as general")
        if len(set(self.merge)) < len(self.merge):
            raise ValueError("`merge` names a share twice")
        if self.remedies.replay and not self.general:
            raise ValueError("`remedies.replay` replays the text of `general`: name its groups")
        return self

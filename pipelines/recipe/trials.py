"""The `trials:` and `search:` sections of a recipe: short trainings that tell what a mixture is worth."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from mixers.quantity import Quantity
from pipelines.settings import STRICT, Share
from trainers.config import SmallModel, StageTraining

FEWEST_PROBES = 4


class Trials(BaseModel):
    """How short trainings are made, of which `ablate` and `search` make many."""

    model_config = STRICT

    stage: str = Field("stage1", description="The mixture that is tried.")
    share: Annotated[Share, Field(gt=0)] = Field(
        0.01,
        description="Tokens of a trial, as a share of the stage's: 1%. Of each group so large a share of its "
        "documents takes part, so that they repeat as often as in the stage.",
    )
    tokens: Quantity | None = Field(
        None, gt=0, description="Tokens of a trial in place of `share`: 2M. The share follows from them."
    )
    seeds: int = Field(
        3, ge=1, le=100, description="Trainings of each mixture, each on documents of its own."
    )
    model: str | SmallModel | None = Field(
        None, description="The model that is trained; null: `train.model`."
    )
    train: StageTraining | None = Field(
        None,
        description="How it is trained; null: as `train` says of the stage, with a LoRA adapter where the "
        "model is not new.",
    )


class Bounds(BaseModel):
    """The shares of the mixture that a group may have."""

    model_config = STRICT

    min: Share = Field(0.0, description="The smallest share.")
    max: Share = Field(1.0, description="The largest share.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"`min` ({self.min:.1%}) is more than `max` ({self.max:.1%})")
        return self


class Search(BaseModel):
    """What the best mixture is to be best at, and what it must not do."""

    model_config = STRICT

    targets: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="Held-out groups to their relative weight in what is to become small, the mean of their "
        "bits per byte; empty: all held-out groups alike.",
    )
    guard: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="Held-out groups to the bits per byte by which each may become worse than with the "
        "recipe's own weights: {web: 0.01}.",
    )
    bounds: dict[str, Bounds] = Field(
        default_factory=dict, description="Groups of the mixture to their shares at least and at most."
    )
    probes: int | None = Field(
        None,
        ge=FEWEST_PROBES,
        description="Mixtures that are tried before the best is predicted; null: twice as many as groups, "
        "and two. At most three times as many as groups, and three.",
    )
    probe_seeds: int = Field(1, ge=1, le=100, description="Trainings of each of these.")
    confirm: int = Field(
        3,
        ge=0,
        le=10,
        description="Of the mixtures predicted best so many are tried beside the recipe's own.",
    )
    seed: int = Field(17, ge=0, description="Of the choice of mixtures.")

    def number_of_probes(self, groups: int) -> int:
        """How many mixtures of so many groups are tried first."""
        return min(self.probes or 2 * groups + 2, 3 * (groups + 1))

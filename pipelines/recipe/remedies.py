"""The `outcome.remedies` section of a recipe: trainings that may forget less."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from pipelines.settings import STRICT, Share

Part = Annotated[Share, Field(gt=0, lt=1)]


class Remedies(BaseModel):
    """How the last stage is trained again, once for each."""

    model_config = STRICT

    replay: tuple[Part, ...] = Field(
        (), description="Shares of the stage's rows that are of `outcome.general`, as [25%, 50%]."
    )
    lr: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), description="What the stage's learning rates are multiplied by, as [0.3]."
    )
    self_replay: tuple[Part, ...] = Field(
        (), description="Shares of the stage's rows that are of text which its base writes, as [10%]."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in type(self).model_fields:
            asked = getattr(self, name)
            if len(set(asked)) < len(asked):
                raise ValueError(f"`{name}` names one twice")
        return self

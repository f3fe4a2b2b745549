"""The `evaluate:` section of a recipe, typed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipelines.evaluation.language_swap import LanguageSwap
from trainers.harness import HarnessTask
from trainers.retrieval import Retrieval


def _task(value: object) -> object:
    """A task may be written as its name alone."""
    return {"task": value} if isinstance(value, str) else value


class Evaluate(BaseModel):
    """What is measured besides loss and bits per byte, of the trained model and of its base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: tuple[str, ...] | None = Field(
        None, description="The stages after whose training the model is evaluated; null: all."
    )
    harness: tuple[Annotated[HarnessTask, BeforeValidator(_task)], ...] = Field(
        (),
        description="Tasks of lm-evaluation-harness: names, or {task: mmlu, num_fewshot: 5, limit: 100}.",
    )
    include: tuple[str, ...] = Field(
        (), description="Folders with task files of your own, from where the command is run."
    )
    language_swap: LanguageSwap | None = Field(
        None, description="How often the model goes on in another language; {} for the defaults."
    )
    retrieval: Retrieval | None = Field(None, description="Facts hidden in long texts; {} for the defaults.")
    batch_size: int = Field(8, gt=0, description="Questions or prompts in one forward pass.")

    @property
    def needs_generation(self) -> bool:
        """Whether anything is asked that a packed forward pass does not answer."""
        return bool(self.harness or self.language_swap or self.retrieval)

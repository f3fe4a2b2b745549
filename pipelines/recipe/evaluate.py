"""The `evaluate:` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _task(value: object) -> object:
    """A task may be written as its name alone."""
    return {"task": value} if isinstance(value, str) else value


class LanguageSwap(BaseModel):
    """Which prompts, and how much is generated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: int = Field(50, gt=0, description="Prompts of each language at most.")
    file: str | None = Field(
        None, description="A file with prompts in a column `text`; null: held-out documents' beginnings."
    )
    prompt_tokens: int = Field(64, gt=0, description="Length of a prompt from a held-out document.")
    new_tokens: int = Field(64, gt=0, description="Tokens that the model adds at most.")
    min_score: float = Field(
        0.5, ge=0, le=1, description="Prompts and continuations identified less surely do not count."
    )
    seed: int = Field(17, ge=0, description="Of the choice among held-out documents.")


class HarnessTask(BaseModel):
    """A task, group or tag of the harness, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(min_length=1, description="Its name in the harness or in a YAML file of your own.")
    num_fewshot: int | None = Field(
        None,
        ge=0,
        description="Examples before each question; null: what the task says. A task that insists on 0 keeps"
        " 0.",
    )
    limit: int | None = Field(None, gt=0, description="Only so many questions of each task; null: all.")


class Retrieval(BaseModel):
    """How facts are hidden and asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lengths: tuple[Annotated[int, Field(ge=64)], ...] = Field(
        (1024, 2048, 4096), min_length=1, description="Tokens of text, the question included."
    )
    depths: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        min_length=2,
        description="Where facts are hidden: 0 is the beginning of the text, 1 its end.",
    )
    texts: int = Field(10, gt=0, description="Texts of each length; each holds a fact at every depth.")
    fact: str = Field(
        "The secret number of {name} is {value}.",
        description="A fact, in the language of the texts; the question is what stands before {value}.",
    )
    seed: int = Field(17, ge=0, description="Of names, values and the choice of texts.")

    @model_validator(mode="after")
    def _fact_asks(self) -> Self:
        before, value, _ = self.fact.partition("{value}")
        if not value or "{name}" not in before:
            raise ValueError("`fact` needs {name}, and {value} after it")
        return self


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

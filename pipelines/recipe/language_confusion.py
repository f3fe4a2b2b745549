"""What is asked to tell language confusion."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

PROMPT = "{prompt}"


class LanguageConfusion(BaseModel):
    """Which prompts, and how much is generated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = Field(
        None,
        description="The Language Confusion Benchmark's folder `test_sets`, or a file (.csv, .jsonl) with"
        " columns `prompt` and `language`, optional `id`, `task` and `source`; null: held-out documents'"
        " beginnings.",
    )
    form: str = Field(
        "Q: {prompt}\nA:", description="How a prompt of `path` is asked; the benchmark's own for base models."
    )
    languages: tuple[str, ...] | None = Field(
        None, description="Only prompts to be answered in these, as lid.176 names them; null: all."
    )
    prompts: int = Field(100, gt=0, description="Prompts of each task, source and language at most.")
    prompt_tokens: int = Field(64, gt=0, description="Length of a prompt from a held-out document.")
    min_score: float = Field(
        0.5, ge=0, le=1, description="Held-out beginnings identified less surely are no prompts."
    )
    new_tokens: int = Field(100, gt=0, description="Tokens that the model adds at most.")
    seed: int = Field(17, ge=0, description="Of the choice among prompts.")

    @field_validator("form")
    @classmethod
    def _form_has_a_prompt(cls, form: str) -> str:
        if PROMPT not in form:
            raise ValueError(f"needs {PROMPT} where the prompt stands")
        return form

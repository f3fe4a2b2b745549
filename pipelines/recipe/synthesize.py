"""The `synthesize:` section of a recipe: one model for each method of making documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DocstringQuestions(BaseModel):
    """Question-answer pairs from the docstrings of Python code, made without a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    method: Literal["docstrings"] = Field(description="Functions are asked about, their docstrings answer.")
    about: Literal["stage1"] = Field(
        "stage1", alias="from", description="Only documents that this stage contains are asked about."
    )
    domains: list[str] = Field(min_length=1, description="The groups whose documents are asked about.")


SynthesisConfig = DocstringQuestions

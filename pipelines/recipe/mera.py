"""What is asked of MERA, the benchmark of Russian."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Split = Literal["test", "train"]


class Mera(BaseModel):
    """Which tasks are asked, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(
        min_length=1,
        description="MERA's data: a folder of each task, such as `rcb`, with `test.jsonl` (or Parquet) and"
        " the split that examples come from.",
    )
    tasks: tuple[str, ...] = Field((), description="Their folders' names; empty: all that are there.")
    split: Split = Field(
        "test",
        description="test: what the site takes; answers of diagnostic tasks are open and scored here. train:"
        " questions of every task whose answers are open, all scored here.",
    )
    limit: int | None = Field(None, gt=0, description="Only so many questions of each task; null: all.")
    dialogue: int | None = Field(
        None,
        ge=0,
        description="Earlier questions of a ruTiE dialogue that stand before each at most; null: all.",
    )
    new_tokens: int = Field(64, gt=0, description="Tokens of an answer at most; its first line counts.")
    seed: int = Field(17, ge=0, description="Of the examples before a question.")

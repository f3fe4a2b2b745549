"""The `decontaminate:` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from filters.contamination.items import Kind
from pipelines.settings import STRICT, Name, Share
from pipelines.sources.benchmarks import BenchmarkConfig
from pipelines.sources.endpoint import Address, Endpoint, KeyVariable

Action = Literal["drop", "cut", "flag"]

QUESTION_COVERAGE = 0.6
ANSWER_COVERAGE = 0.6
PASSAGE_COVERAGE = 0.6
SOLUTION_COVERAGE = 0.6
CODE_COVERAGE = 0.55
SEMANTIC_SHARE = 0.01
SAMPLING: dict[str, Any] = {"temperature": 0, "max_tokens": 1024}
"""What goes into each request to a judge."""


class Actions(BaseModel):
    """What is done with a document, by what it has of an item."""

    model_config = STRICT

    answer: Action = Field("drop", description="The question with its answer, or a solution.")
    question: Action = Field("flag", description="The question alone.")
    passage: Action = Field("flag", description="What the question is about, without the question.")
    template: Action = Field(
        "flag", description="The same with other numbers or other parts of a program: another item."
    )


class OwnActions(BaseModel):
    """What is done where a benchmark is treated otherwise than the others; null: as with the others."""

    model_config = STRICT

    answer: Action | None = Field(None, description="The question with its answer, or a solution.")
    question: Action | None = Field(None, description="The question alone.")
    passage: Action | None = Field(None, description="What the question is about, without the question.")
    template: Action | None = Field(
        None, description="The same with other numbers or other parts of a program: another item."
    )


class AgainstBenchmark(BenchmarkConfig):
    """A benchmark that documents are compared with: a `task`, or files by their `path`."""

    action: OwnActions = Field(
        default_factory=OwnActions, description="What is done with its matches, where that is special."
    )


class Thresholds(BaseModel):
    """The share of a part's words, weighted by their rarity, that a document must have of it."""

    model_config = STRICT

    question: Share = Field(QUESTION_COVERAGE, gt=0, description="Of the question.")
    answer: Share = Field(ANSWER_COVERAGE, gt=0, description="Of the answer.")
    passage: Share = Field(PASSAGE_COVERAGE, gt=0, description="Of the passage.")
    solution: Share = Field(SOLUTION_COVERAGE, gt=0, description="Of the solution, in words.")
    code: Share = Field(
        CODE_COVERAGE, gt=0, description="Of a program; what all programs share counts as missing."
    )


class JudgeEndpoint(Endpoint):
    """A language model behind an endpoint's `/v1/chat/completions`."""

    sampling: dict[str, Any] = Field(
        default_factory=SAMPLING.copy,
        description="What goes into each request; a model that refuses a temperature wants it left out.",
    )


class Embedder(BaseModel):
    """A sentence-embedding model: a folder or a hub id, or one behind an endpoint's `/v1/embeddings`."""

    model_config = STRICT

    model: str = Field(min_length=1, description="A folder, a hub id, or its name at the endpoint.")
    base_url: Address | None = Field(None, description="The endpoint; null: it runs here.")
    key: KeyVariable | None = Field(None, description="The environment variable with the endpoint's key.")
    prefix: str | None = Field(
        None, description="What stands before every text; null: what the folder's prompts say, else nothing."
    )

    @model_validator(mode="after")
    def _key_opens_something(self) -> Self:
        if self.key and not self.base_url:
            raise ValueError("`key` is for an endpoint, and there is no `base_url`")
        return self

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint, if it is behind one."""
        return Endpoint(base_url=self.base_url, model=self.model, key=self.key) if self.base_url else None


def _model_alone(value: object) -> object:
    """A model may be written as its folder or hub id alone."""
    return {"model": value} if isinstance(value, str) else value


class Semantic(BaseModel):
    """Paraphrases and translations: alike by embeddings, and judged by a language model if one is given."""

    model_config = STRICT

    embedder: Annotated[Embedder, BeforeValidator(_model_alone, json_schema_input_type=str | Embedder)] = (
        Field(description="A folder, a hub id, or {base_url, model, key, prefix}.")
    )
    judge: JudgeEndpoint | None = Field(
        None, description="Says which candidates are the same item; null: they are flagged with their score."
    )
    share: Share = Field(
        SEMANTIC_SHARE,
        gt=0,
        description="So many of a source's unrelated passages may be near an item by chance: this tells from "
        "which cosine on a passage is a candidate, as cosines differ from model to model.",
    )
    threshold: float | None = Field(
        None, ge=-1, le=1, description="The cosine itself, for a model that you know; null: by `share`."
    )
    translations: bool = Field(
        False,
        description="Look for items in other languages: all passages in other languages are embedded, too. "
        "Wants a multilingual embedder.",
    )


def _false_is_none(value: object) -> object:
    return None if value is False else value


class Decontaminate(BaseModel):
    """Which benchmarks documents are compared with, and what is done with those that have their items."""

    model_config = STRICT

    against: dict[Name, AgainstBenchmark] = Field(
        min_length=1, description="Benchmarks by name: {task: gsm8k}, or {path: exam.jsonl, question: q}."
    )
    action: Actions = Field(
        default_factory=Actions,
        description="What is done by what a document has of an item: drop it, cut the span, or flag it.",
    )
    thresholds: Thresholds = Field(
        default_factory=Thresholds, description="How much of a part a document must have."
    )
    allow: str | None = Field(
        None, min_length=1, description="A file of judgements: matches that are none, with their reasons."
    )
    semantic: Annotated[
        Semantic | None,
        BeforeValidator(_false_is_none, json_schema_input_type=Semantic | Literal[False] | None),
    ] = Field(None, description="Look for paraphrases and translations too: {embedder: ..., judge: ...}.")
    sources: list[Name] | None = Field(
        None, description="The sources that are compared; all when left out, and what is synthesised."
    )

    def action_for(self, benchmark: str, kind: Kind) -> Action:
        """What is done with a document that has this of an item of this benchmark."""
        own: Action | None = getattr(self.against[benchmark].action, kind)
        common: Action = getattr(self.action, kind)
        return own or common

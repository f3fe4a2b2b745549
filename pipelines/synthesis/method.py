"""What all methods of making text with a model have in common: what they ask about, and how much."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mixers.budget import domain_is
from mixers.quantity import Quantity
from pipelines.settings import Name
from pipelines.synthesis.ask import Making
from pipelines.synthesis.checks.checks import Checks
from pipelines.synthesis.prompt import Prompts

OWN_FIELDS = {"model", "messages", "stream", "n", "response_format"}
"""Fields of requests that are not for users to set."""
JUDGE = "judge"
"""The folder of the judge's prompts."""
SAMPLING: dict[str, Any] = {"temperature": 0.7, "top_p": 0.95, "max_tokens": 2048}
ANSWER_TOKENS = 400
"""Of an answer: a few questions with theirs, or a few paragraphs. A guess, until a trial measures it."""


def as_weights(value: object) -> object:
    """A list of names, which gives each the weight 1, or weights as they are."""
    return dict.fromkeys(value, 1.0) if isinstance(value, (list, tuple)) else value


class Method(BaseModel, ABC):
    """A way of making new documents from documents, and its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    method: str
    VERSION: ClassVar[int]
    """To be raised when the same answers give other drafts."""
    related: ClassVar[int] = 0
    """Passages of other documents that are wanted beside each passage."""
    pieces: ClassVar[bool] = True
    """Whether documents are cut into passages, or taken whole."""

    about: Literal["stage1", "sources"] = Field(
        "stage1",
        alias="from",
        description="What is asked about: documents that Stage 1 contains, or all that are kept of the "
        "sources and not held out; what is made of these may enter Stage 1.",
    )
    domains: list[str] = Field(
        default_factory=list, description="The groups whose documents are asked about, in equal weights."
    )
    weights: dict[Name, float] = Field(
        default_factory=dict,
        description="Instead of `domains`: groups and their relative weights.",
    )
    groups: dict[Name, str] = Field(
        default_factory=dict,
        description="Groups by predicates, as in mixtures: {best: \"domain = 'law' and quality = 'high'\"}.",
    )
    tokens: Quantity | None = Field(
        None, description="How many tokens of new text are wanted; null: of every passage what it gives."
    )
    domain: Name | None = Field(None, description="The group of the new documents; null: the entry's name.")
    passage_characters: int = Field(
        6_000, ge=200, description="Longer documents are cut at paragraphs into passages of at most so many."
    )
    sampling: dict[str, Any] = Field(
        default_factory=SAMPLING.copy, description="What goes into each request, such as temperature."
    )
    checks: Checks = Field(default_factory=Checks, description="What new text must pass.")

    @field_validator("sampling")
    @classmethod
    def _leaves_ours_alone(cls, sampling: dict[str, Any]) -> dict[str, Any]:
        if taken := sampling.keys() & OWN_FIELDS:
            raise ValueError(f"`{min(taken)}` is no setting of sampling: each request has its own")
        return sampling

    @model_validator(mode="after")
    def _asks_about_something(self) -> Self:
        if bool(self.domains) == bool(self.weights):
            raise ValueError("give `domains`, or `weights` of groups: what is asked about")
        if any(weight <= 0 for weight in self.weights.values()):
            raise ValueError("a weight must be more than 0")
        if unknown := self.groups.keys() - self.weights.keys():
            raise ValueError(f"the group `{min(unknown)}` has no weight")
        return self

    @property
    def asked(self) -> dict[str, float]:
        """The groups that are asked about, and their relative weights."""
        return self.weights or dict.fromkeys(self.domains, 1.0)

    @property
    def predicates(self) -> dict[str, str]:
        """For each of these groups the SQL predicate of its documents."""
        return {group: self.groups.get(group, domain_is(group)) for group in self.asked}

    @property
    def calls_a_passage(self) -> float:
        """How many calls a passage of average size takes, as far as one can tell before any was made."""
        return 1.0

    @property
    def drafts_a_passage(self) -> float:
        """How many drafts come of it, which a judge is asked about one by one."""
        return self.calls_a_passage

    def tokens_a_passage(self, passage: float) -> tuple[float, float]:
        """What the calls about a passage of so many tokens carry besides prompts, and what comes back.

        As far as one can tell before any was made.
        """
        return self.calls_a_passage * passage, self.calls_a_passage * ANSWER_TOKENS

    @property
    def prompted(self) -> tuple[str, ...]:
        """The folders of the prompts that it asks with."""
        return (self.method, *((JUDGE,) if self.checks.judge else ()))

    def located(self, path: Callable[[str], Path]) -> Self:
        """The method with the paths that it names as `path` understands them."""
        return self.model_copy(update={"checks": self.checks.located(path)})

    @property
    def files(self) -> dict[str, str]:
        """Of each file or model that is named what it says, by its setting. Raises UserError."""
        return {f"checks.{name}": check.identity for name, check in self.checks.models.items()}

    @abstractmethod
    def build(self, prompts: Prompts) -> Making:
        """The method at work."""

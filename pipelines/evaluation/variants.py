"""Variants of a model beside each other: the base as it is, with a prompt, with passages, and tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Before = Callable[[Sequence[str]], Sequence[str]]
"""From questions to the text that is put before each."""
Kind = Literal["base", "prompt", "passages", "stage", "merged", "also"]


class Answers(Protocol):
    """Who answers questions: a model, or one that is given something before each."""

    def continue_texts(self, prompts: Sequence[str], new_tokens: int, batch_size: int) -> list[str]:
        """Continue each text greedily by at most `new_tokens` tokens."""
        ...


@dataclass(frozen=True)
class WithBefore:
    """A model that is given more before each question."""

    model: Answers
    before: Before

    def continue_texts(self, prompts: Sequence[str], new_tokens: int, batch_size: int) -> list[str]:
        """Continue each text, with what stands before it, greedily by at most `new_tokens` tokens."""
        texts = [before + prompt for before, prompt in zip(self.before(prompts), prompts, strict=True)]
        return self.model.continue_texts(texts, new_tokens, batch_size)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One column of the comparison."""

    name: str
    """As it is called there; unlike all others."""
    kind: Kind
    model: str
    """Folder or hub id."""
    before: Before | None = None
    before_is: str = ""
    """What tells `before` from others, for the fingerprints of results."""
    share: float | None = None
    """Of a merged model: the last stage's."""

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return {"name": self.name, "kind": self.kind, "model": self.model, "share": self.share}


def prompted(prompt: str) -> Before:
    """The same text before every question."""
    return lambda questions: [f"{prompt}\n\n"] * len(questions)

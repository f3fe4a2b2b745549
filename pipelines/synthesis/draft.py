"""What a method makes of a passage: drafts of documents, and rejections of what came back."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.synthesis.passage import Turns

EXCERPT = 500
"""Characters of what was rejected that are kept."""
NO_ANSWER = "no_answer"
"""The reason of what the server did not answer, which a later run asks again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A new document before it is checked: a text or a conversation."""

    kind: str
    """What it is within its method, such as `factual` or `tutorial`."""
    language: str
    """The language that it is to be in."""
    prompt: str
    """The hash of the prompt, or prompts, that it comes from."""
    text: str | None = None
    messages: Turns | None = None
    template_fields: str | None = None
    """What a chat template gets besides the messages, as in a corpus part: JSON or None."""
    question: str | None = None
    """What must not be asked twice."""
    claims: str | None = None
    """What must be grounded in the passage; None where nothing must."""
    refuses: bool = False
    """Whether a refusal is what was asked for."""
    keeps_protected: bool = False
    """Whether code, formulas, names of files and the like stand in it as they did in the passage."""
    instructions: tuple[str, ...] = ()
    """The prompt's own sentences, which must not come back."""
    passages: tuple[str, ...] = ()
    """The ids of the passages that it rests on, where they are more than the one asked about."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why something that came back, or did not, became no document."""

    reason: str
    """A name such as `wrong_language`: what is counted."""
    excerpt: str = ""
    """Its beginning, for people."""

    @classmethod
    def of(cls, reason: str, text: str) -> Rejection:
        """The rejection of a text."""
        return cls(reason, text[:EXCERPT])


class RejectedError(Exception):
    """Raised where a passage, or one call about it, ends in a rejection."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.reason)
        self.rejection = rejection


Result = Draft | Rejection

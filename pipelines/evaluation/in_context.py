"""Text before every question: the same prompt, or passages that fit it. The model itself stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.passages import Passages


class Context(Protocol):
    """What a model reads before questions."""

    def before(self, questions: Sequence[str]) -> list[str]:
        """The text to put before each question."""
        ...


@dataclass(frozen=True)
class Prompt:
    """The same text before every question."""

    text: str

    def before(self, questions: Sequence[str]) -> list[str]:
        """The text, and a blank line."""
        return [f"{self.text.rstrip()}\n\n"] * len(questions)


@dataclass(frozen=True)
class Retrieved:
    """The `number` passages that fit each question best."""

    passages: Passages
    number: int

    def before(self, questions: Sequence[str]) -> list[str]:
        """As `Passages.before`."""
        return self.passages.before(questions, self.number)


@dataclass
class ContextUse:
    """What became of the text before questions, counted."""

    requests: int = 0
    nothing_found: int = 0
    """Those for which there was no text."""
    shortened: int = 0
    """Those whose text was cut from the left, as the model has not so many positions."""
    left_out: int = 0
    """Those for which nothing of the text was left."""


@dataclass(frozen=True)
class Placement:
    """Puts a context before requests to a model, as much of it as fits."""

    model: PlainModel
    context: Context
    use: ContextUse = field(default_factory=ContextUse)

    def before(
        self, questions: Sequence[str], requests: Sequence[str], rooms: Sequence[int | None]
    ) -> list[str]:
        """The text to put before each request.

        Args:
            questions: What each request asks, by which its context is chosen.
            requests: All that the model reads or is scored on besides.
            rooms: Tokens that there may be with the context; None: any number.
        """
        distinct = list(dict.fromkeys(questions))
        texts = dict(zip(distinct, self.context.before(distinct), strict=True))
        return [
            self._fitted(texts[question], request, room)
            for question, request, room in zip(questions, requests, rooms, strict=True)
        ]

    def _fitted(self, text: str, request: str, room: int | None) -> str:
        """The end of the text that fits before a request."""
        self.use.requests += 1
        if not text:
            self.use.nothing_found += 1
            return text
        ids = self.model.encode(text, begins=False)
        left, fitted = 0, text
        while room is not None and (excess := len(self.model.encode(fitted + request)) - room) > 0:
            left += excess
            fitted = self.model.decode(ids[left:]).lstrip("\ufffd")
            if not fitted:
                break
        self.use.shortened += 0 < len(fitted) < len(text)
        self.use.left_out += not fitted
        return fitted


@dataclass(frozen=True)
class InContext:
    """A model that reads a context before every text that it goes on with.

    The question by which passages are chosen is the last paragraph of a text: what stands before its last
    blank line are exemplars.
    """

    placement: Placement

    def continue_texts(
        self, prompts: Sequence[str], new_tokens: int, batch_size: int, one_line: bool = False
    ) -> list[str]:
        """As `PlainModel.continue_texts`."""
        model = self.placement.model
        room = None if model.longest is None else model.longest - new_tokens
        before = self.placement.before([last_part(p) for p in prompts], prompts, [room] * len(prompts))
        texts = [text + prompt for text, prompt in zip(before, prompts, strict=True)]
        return model.continue_texts(texts, new_tokens, batch_size, one_line)


def last_part(text: str, delimiter: str = "\n\n") -> str:
    """What stands behind the last delimiter of a text that has something behind it."""
    return text.rstrip().rpartition(delimiter)[2]


def with_prompt(model: PlainModel, text: str) -> InContext:
    """A model that reads a prompt before every question."""
    return InContext(Placement(model, Prompt(text)))


def with_passages(model: PlainModel, passages: Passages, number: int) -> InContext:
    """A model that reads the best passages before every question."""
    return InContext(Placement(model, Retrieved(passages, number)))

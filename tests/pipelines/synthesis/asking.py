"""What tests of methods share: passages, and a stand-in for the model."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.synthesis.ask import Answer, Making
from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt


def passage(text: str, language: str = "en", **about: Any) -> Passage:
    """A passage of a document."""
    given = {"id": "d#0", "parent_id": "d", "source": "s", "domain": "books", **about}
    return Passage(text=text, language=language, **given)


class StandIn:
    """Answers as it is told to, by a function of the prompt's kind and how often it was asked for it.

    An answer is a text, a text with its finish reason, or a rejection.
    """

    def __init__(self, answer: Callable[[str, int], str | tuple[str, str] | Rejection]) -> None:
        self.asked: list[tuple[str, list[dict[str, str]], Mapping[str, Any] | None, int]] = []
        self._answer = answer

    async def __call__(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        kind = prompt.name.rsplit("/", 1)[-1].split(".")[0]
        self.asked.append((kind, prompt.messages(values), schema, draw))
        answer = self._answer(kind, draw)
        if isinstance(answer, Rejection):
            raise RejectedError(answer)
        return Answer(answer, "stop") if isinstance(answer, str) else Answer(*answer)


def made(making: Making, about: Passage, ask: StandIn) -> Sequence[Result]:
    """What a method makes of a passage."""
    return asyncio.run(making(about, ask))

"""How methods ask a model: what they see of it, and nothing of servers, stores and sampling."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said."""

    text: str
    """Without its thoughts between `<think>` marks."""
    finish_reason: str
    """`stop`, or `length` where the limit of tokens cut it short."""
    input_tokens: int = 0
    output_tokens: int = 0


class Ask(Protocol):
    """Asks the model of a run. The same question is sent once, however often it is asked."""

    async def __call__(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        """The answer to a prompt that is filled with values.

        Args:
            prompt: What is asked.
            values: What stands in its places.
            schema: A JSON schema that the answer is to follow, by guided decoding where the server can.
            draw: Tells apart several answers to the same question.

        Raises:
            RejectedError: There is none.
        """
        ...


class Making(Protocol):
    """A method at work: what it makes of one passage."""

    async def __call__(self, passage: Passage, ask: Ask) -> Sequence[Result]:
        """Drafts, and rejections of what became none. Raises RejectedError where there is nothing else."""
        ...


async def each(calls: Iterable[Coroutine[Any, Any, Given]]) -> list[Given | Rejection]:
    """The results of calls at the same time, with the rejection of each that has none."""

    async def caught(call: Coroutine[Any, Any, Given]) -> Given | Rejection:
        try:
            return await call
        except RejectedError as error:
            return error.rejection

    begun = list(calls)
    tasks = [asyncio.ensure_future(caught(call)) for call in begun]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for call in begun:  # one that was cancelled before it began would complain that nobody awaited it
            call.close()

"""What a method makes of passages with a model: many at the same time, handed out in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pipelines.sources.background import from_another_thread
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.ask import Making
from pipelines.synthesis.asking.answers import Answers
from pipelines.synthesis.asking.asker import Asker, NotStoredError, Questions, StoredQuestions
from pipelines.synthesis.asking.passage_reader import PassageReader
from pipelines.synthesis.draft import RejectedError, Result
from pipelines.synthesis.passage import Passage

_LOOK_AHEAD = 4
"""Passages taken and not yet handed out, for each request at the same time: those that were begun in vain
when no more is wanted, and those that wait for a slow one before them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a passage, and what it rests on: the same whether the answers are new or stored."""

    passage: Passage
    results: tuple[Result, ...]
    calls: int
    """Answers that the model gave."""
    input_tokens: int
    output_tokens: int


def outcomes(
    passages: Iterable[Passage],
    make: Making,
    client: EndpointClient,
    answers: Answers,
    sampling: Mapping[str, Any],
) -> Generator[Outcome, None, None]:
    """The outcome of each passage, in their order.

    Closing the iterator sends nothing more and waits for what is under way: its answers are stored.

    Args:
        passages: Read as they are needed, in a thread of their own.
        make: The method.
        client: Where the model answers; its endpoint's concurrency bounds the requests at the same time.
        answers: Where answers are looked for, and stored as they come.
        sampling: What goes into each request, such as temperature.

    Raises:
        WorkError: The server is down or refuses everything, or answers cannot be stored.
    """
    reading = PassageReader(passages, _LOOK_AHEAD * client.endpoint.concurrency)

    async def work(put: Callable[[Outcome], None]) -> None:
        begun: asyncio.Queue[Awaitable[Outcome] | None] = asyncio.Queue()
        with reading:
            async with client.session() as session, asyncio.TaskGroup() as requests:
                questions = Questions(client, session, answers, sampling, requests)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_hand_out(begun, put))
                        while (passage := await reading.next()) is not None:
                            begun.put_nowait(group.create_task(_outcome(passage, make, questions)))
                        begun.put_nowait(None)
                except asyncio.CancelledError:
                    await questions.settle()
                    raise

    with closing(from_another_thread(work)) as found:
        for outcome in found:
            yield outcome
            reading.one_is_done()


def stored_outcomes(
    passages: Iterator[Passage],
    make: Making,
    model: str,
    answers: Answers,
    sampling: Mapping[str, Any],
) -> Generator[Outcome, None, Passage | None]:
    """The outcomes of passages about which all was answered before, up to the first of which it was not.

    Returns that passage, which is taken from `passages`; None where they end before. The arguments are those
    of `outcomes`; no server is needed.
    """
    questions = StoredQuestions(model, answers, sampling)
    for passage in passages:
        try:
            outcome = asyncio.run(_outcome(passage, make, questions))
        except NotStoredError:
            return passage
        yield outcome
    return None


async def _outcome(passage: Passage, make: Making, questions: StoredQuestions) -> Outcome:
    ask = Asker(passage, questions)
    try:
        results = tuple(await make(passage, ask))
    except RejectedError as error:
        results = (error.rejection,)
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        raise RuntimeError(f"the method stopped itself at the passage {passage.id}") from error
    used = ask.used.values()
    inputs, outputs = (sum(each.input_tokens for each in used), sum(each.output_tokens for each in used))
    return Outcome(passage, results, len(used), inputs, outputs)


async def _hand_out(begun: asyncio.Queue[Awaitable[Outcome] | None], put: Callable[[Outcome], None]) -> None:
    """Hand out outcomes in the order in which their passages were begun."""
    while (outcome := await begun.get()) is not None:
        put(await outcome)

"""What a method makes of passages with a model: many at the same time, handed out in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from pipelines.sources.background import from_another_thread
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.answers import Answers
from pipelines.synthesis.ask import Making
from pipelines.synthesis.asker import Asker, NotStoredError, Questions, StoredQuestions
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
    limit = _LOOK_AHEAD * client.endpoint.concurrency
    taken = _Taken(limit)

    async def work(put: Callable[[Outcome], None]) -> None:
        taken.loop = asyncio.get_running_loop()
        begun: asyncio.Queue[Awaitable[Outcome] | None] = asyncio.Queue()
        with ThreadPoolExecutor(1) as reader:
            async with client.session() as session, asyncio.TaskGroup() as requests:
                questions = Questions(client, session, answers, sampling, requests)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_hand_out(begun, put))
                        rest = iter(passages)
                        while await taken.room() and (passage := await _next(reader, rest)) is not None:
                            begun.put_nowait(group.create_task(_outcome(passage, make, questions)))
                        begun.put_nowait(None)
                except asyncio.CancelledError:
                    await questions.settle()
                    raise

    with closing(from_another_thread(work)) as found:
        for outcome in found:
            yield outcome
            taken.one()


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


class _Taken:
    """How many more passages may be begun; the caller, in its thread, says when it has taken an outcome."""

    def __init__(self, limit: int) -> None:
        self.loop: asyncio.AbstractEventLoop
        self._free = asyncio.Semaphore(limit)

    async def room(self) -> bool:
        """Wait until one more may be begun."""
        return await self._free.acquire()

    def one(self) -> None:
        """One was taken."""
        with suppress(RuntimeError):  # the loop is closed: all were begun
            self.loop.call_soon_threadsafe(self._free.release)


async def _next(reader: ThreadPoolExecutor, passages: Iterator[Passage]) -> Passage | None:
    """The next passage, read in a thread so that requests go on; None at the end."""
    return await asyncio.get_running_loop().run_in_executor(reader, next, passages, None)


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

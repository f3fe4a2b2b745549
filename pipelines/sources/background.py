"""Asynchronous work that goes on while a caller, asynchronous or not, is busy with what came of it."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any


def from_another_thread(
    work: Callable[[Callable[[Any], None]], Awaitable[None]],
) -> Generator[Any, None, None]:
    """What an asynchronous function puts, as it comes; the function is cancelled when nobody wants more."""
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()
    end = object()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()
    raised: list[BaseException] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio.run makes a task"
        started.set_result((asyncio.get_running_loop(), task))
        await work(results.put)

    def run() -> None:
        try:
            asyncio.run(main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            raised.append(_first(error))
        finally:
            started.cancel()  # where it could not even start
            results.put(end)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (result := results.get()) is not end:
            yield result
    finally:
        with suppress(CancelledError, RuntimeError):  # there is no loop, or no longer
            loop, task = started.result()
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
    if raised:
        raise raised[0]


def _first(error: BaseException) -> BaseException:
    """The first of the errors in a group, which is what went wrong; the others mostly follow from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""A bound on what goes on at the same time, for thousands that wait.

`asyncio.Semaphore` looks again, each time that one ends, at all those that it has woken and that have not run
yet: where thousands end at once, that takes more time than the requests.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """At most a number of `async with gate:` at the same time, in the order of their coming."""

    def __init__(self, at_most: int) -> None:
        self._free = at_most
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

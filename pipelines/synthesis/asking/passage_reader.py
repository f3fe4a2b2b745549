"""Passages for an event loop, read in a thread: slow reading holds up nothing, fast reading is bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

from pipelines.synthesis.passage import Passage


class PassageReader:
    """Reads passages while less than a number of them is in work; to be opened in the event loop.

    Leaving it waits for the passage that is being read, and reads no more.
    """

    def __init__(self, passages: Iterable[Passage], at_most: int) -> None:
        self._passages = passages
        self._room = threading.Semaphore(at_most)
        self._stopped = False
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> PassageReader:
        self._loop = asyncio.get_running_loop()
        self._read_ones: asyncio.Queue[Passage | BaseException | None] = asyncio.Queue()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped = True
        self._room.release()
        self._thread.join()

    async def next(self) -> Passage | None:
        """The next passage, None at the end. Raises what reading raises."""
        found = await self._read_ones.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def one_is_done(self) -> None:
        """Say, from any thread, that one more may be read."""
        self._room.release()

    def _read(self) -> None:
        try:
            passages = iter(self._passages)
            while self._room.acquire() and not self._stopped:
                passage = next(passages, None)
                self._hand_over(passage)
                if passage is None:
                    break
        except BaseException as error:
            self._hand_over(error)

    def _hand_over(self, read: Passage | BaseException | None) -> None:
        self._loop.call_soon_threadsafe(self._read_ones.put_nowait, read)

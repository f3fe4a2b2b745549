"""A model's server that behaves as real ones do on bad days, and takes thousands of connections.

What happens to a question is chosen by a hash of its request, so that it is the same in whatever order and
however often questions come. Trouble that passes comes first, a few times; then there is a whole answer, or
what never becomes one.
"""

import asyncio
import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from types import TracebackType

import xxhash
from aiohttp import web

PASSING = (
    "429 seconds",
    "429 date",
    "500",
    "503",
    "dropped",
    "dropped in the middle",
    "stall",
    "truncated json",
    "invalid json",
    "other json",
    "compressed",
)
"""What a repetition mends."""
FOR_GOOD = ("always 500", "always dropped", "too long", "unprocessable", "too large")
"""What none mends, and is of that request alone."""
ANSWERS = ("empty", "no content", "refusal", "wrong language", "duplicate", "thoughts", "half character")
"""Whole answers of little worth."""
REFUSAL = "I'm sorry, but I can't help with that."
RUSSIAN = "Столица этой страны стоит на большой реке."
MOST_TIMES = 3
"""How often trouble passes at most before there is an answer."""


def question_of(body: dict) -> str:
    """What was asked last."""
    return body["messages"][-1]["content"]


class BadDayServer:
    """Runs on a free port of the loopback interface, in a thread.

    Args:
        answer: What a model says that is asked on a good day.
        trouble: The share of requests that meet passing trouble, and of those that end badly.
        stall: Seconds without a word.
        retry_after: Seconds that a busy server asks to wait for.
    """

    def __init__(
        self,
        answer: Callable[[dict], str] = question_of,
        trouble: float = 0.5,
        stall: float = 30,
        retry_after: float = 0.05,
        port: int = 0,
    ) -> None:
        self.whole: Counter[str] = Counter()
        """How often each question got a whole answer."""
        self.asked: Counter[str] = Counter()
        """How often each question came."""
        self.bodies: list[dict] = []
        """What came, in short runs."""
        self.most_at_once = 0
        self._answer = answer
        self._trouble = trouble
        self._stall = stall
        self._retry_after = retry_after
        self._port = port
        self._at_once = 0
        self._tries: Counter[bytes] = Counter()
        self._running: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> "BadDayServer":
        self._thread.start()
        self._running.result()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _, loop, over = self._running.result()
        loop.call_soon_threadsafe(over.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return self._running.result()[0]

    def fate(self, body: bytes) -> tuple[tuple[str, ...], str]:
        """The troubles that a request meets before, and what comes in the end."""
        chance = Chance(body)
        ends = "good"
        if chance.share() < self._trouble / 2:
            ends = chance.one_of((*ANSWERS, *ANSWERS, *FOR_GOOD))
        if chance.share() >= self._trouble:
            return (), ends
        return tuple(chance.one_of(PASSING) for _ in range(1 + chance.number(MOST_TIMES))), ends

    async def _run(self) -> None:
        over = asyncio.Event()
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port, backlog=4096).start()
        port = runner.addresses[0][1]
        self._running.set_result((f"http://127.0.0.1:{port}/v1", asyncio.get_running_loop(), over))
        await over.wait()
        await runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        body = json.loads(content)
        before, ends = self.fate(content)
        number = self._tries[content]
        self._tries[content] += 1
        self.asked[question_of(body)] += 1
        self.bodies.append(body)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            happens = before[number] if number < len(before) else ends
            return await self._does(happens, request, body)
        finally:
            self._at_once -= 1

    async def _does(self, happens: str, request: web.Request, body: dict) -> web.StreamResponse:
        whole = partial(self._whole, request, body)
        match happens:
            case "429 seconds":
                return web.Response(
                    status=429, headers={"retry-after": str(self._retry_after)}, text="slowly"
                )
            case "429 date":
                later = datetime.now(UTC) + timedelta(seconds=self._retry_after)
                return web.Response(status=429, headers={"retry-after": format_datetime(later, usegmt=True)})
            case "500" | "always 500":
                return web.Response(status=500, text="Internal Server Error")
            case "503":
                return web.Response(status=503, text="<html>no healthy upstream</html>")
            case "too long":
                return web.json_response({"error": {"message": "too many tokens"}}, status=400)
            case "unprocessable":
                return web.json_response({"detail": []}, status=422)
            case "too large":
                return web.Response(status=413)
            case "dropped" | "always dropped":
                return _drop(request)
            case "dropped in the middle":
                response = web.StreamResponse(headers={"content-length": "1000"})
                await response.prepare(request)
                await response.write(b'{"choices": [{"message": {"content": "The ')
                return _drop(request)
            case "stall":
                await asyncio.sleep(self._stall)
                return _drop(request)
            case "truncated json":
                return web.Response(body=b'{"choices": [{"message": {"content": "The cap')
            case "invalid json":
                return web.Response(body=b'{"choices": [{"message": {"content": "The "capital""}}]}')
            case "other json":
                return web.json_response({"error": {"message": "overloaded"}})
            case "compressed":
                return web.Response(body=gzip.compress(b"not JSON"))
            case "empty":
                return await whole("")
            case "no content":
                return await whole(None, "length")
            case "refusal":
                return await whole(REFUSAL)
            case "wrong language":
                return await whole(RUSSIAN)
            case "duplicate":
                return await whole("The same answer as ever.")
            case "thoughts":
                return await whole(f"<think>What was it?</think>\n\n{self._answer(body)}")
            case "half character":
                return await whole(f"{self._answer(body)} \ud83d")
        return await whole(self._answer(body))

    async def _whole(
        self, request: web.Request, body: dict, text: str | None, finish_reason: str = "stop"
    ) -> web.StreamResponse:
        message = {"role": "assistant", "content": text}
        value = {
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": {
                "prompt_tokens": sum(len(turn["content"].split()) for turn in body["messages"]),
                "completion_tokens": len((text or "").split()),
            },
        }
        content = json.dumps(value).encode()
        response = web.StreamResponse(headers={"content-length": str(len(content))})
        await response.prepare(request)
        await response.write(content)
        await response.write_eof()
        self.whole[question_of(body)] += 1
        return response


class Chance:
    """Choices that follow from some bytes."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._drawn = 0

    def number(self, below: int) -> int:
        self._drawn += 1
        return xxhash.xxh3_64_intdigest(self._seed, self._drawn) % below

    def share(self) -> float:
        return self.number(10_000) / 10_000

    def one_of(self, choices: tuple[str, ...]) -> str:
        return choices[self.number(len(choices))]


def _drop(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        with suppress(OSError):
            request.transport.abort()
    raise asyncio.CancelledError

"""A language model behind an OpenAI-compatible endpoint: `/chat/completions` and `/embeddings`.

Requests run at the same time, up to a bound. One that meets a busy or broken server is repeated after a
growing wait. A server that answers nothing any more is asked nothing any more.
"""

from __future__ import annotations

import asyncio
import os
import queue
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mixers.printable import one_line
from pipelines.errors import UserError, WorkError

if TYPE_CHECKING:
    import httpx

Messages = Sequence[Mapping[str, str]]
"""A conversation: each message has a `role` and a `content`."""
Vectors = npt.NDArray[np.float32]
Parsed = TypeVar("Parsed")
Given = TypeVar("Given")

TEXTS_A_REQUEST = 32
"""Texts in one request for embeddings: what text-embeddings-inference takes unless told otherwise."""
LONGEST_ASKED = 600
"""Seconds that a server may ask to wait for; longer is an answer, not a wait."""
REPEATED = {408, 409, 425, 429}
"""Statuses below 500 that a repetition can mend."""
OF_SERVER = {401, 403, 404, 405}
"""Statuses that every other request would get too."""
EXCERPT = 300
"""Characters of a server's answer that an error shows."""


def _is_an_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError("must hold no password and no query; `key` names the variable with the key")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_is_an_address)]
"""What comes before `/chat/completions`; it mostly ends with `/v1`."""
KeyVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable that holds a key."""


class Endpoint(BaseModel):
    """Where a model answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: Address = Field(description="Where it is, such as http://localhost:8000/v1.")
    model: str = Field(min_length=1, description="Its name there.")
    key: KeyVariable | None = Field(None, description="The environment variable with its key.")
    concurrency: int = Field(16, ge=1, description="Requests at the same time.")
    timeout: float = Field(120, gt=0, description="Seconds that an answer may take.")


class Patience(NamedTuple):
    """How a request is repeated: waits double from `first_wait` to `longest_wait` seconds."""

    tries: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30

    def wait(self, attempt: int) -> float:
        """Seconds after a failed attempt, the first being 1; half of them by chance, to spread requests."""
        longest = min(self.first_wait * 2.0 ** (attempt - 1), self.longest_wait)
        return longest * random.uniform(0.5, 1)


class EndpointClient:
    """Asks one endpoint. Raises UserError when made without the key that the endpoint needs."""

    def __init__(self, endpoint: Endpoint, patience: Patience | None = None) -> None:
        self.endpoint = endpoint
        self.requests = 0
        """HTTP requests made, repetitions counted."""
        self._patience = patience or Patience()
        self._key = _read_key(endpoint.key)

    def chat(self, messages: Messages, **sampling: Any) -> str:
        """The model's answer. `sampling` goes into the request: temperature, max_tokens and the like.

        Raises WorkError where there is none.
        """
        _, answer = next(self.chat_all([messages], **sampling))
        if isinstance(answer, WorkError):
            raise answer
        return answer

    def chat_all(
        self, conversations: Iterable[Messages], **sampling: Any
    ) -> Iterator[tuple[int, str | WorkError]]:
        """The number of each conversation with its answer, or with why there is none, as they come."""

        async def answer(session: _Session, messages: Messages) -> str:
            body = {"model": self.endpoint.model, "messages": list(messages), **sampling}
            return await session.post("chat/completions", body, _read_text)

        return self._all(answer, conversations)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts: float32, shape (texts, dimensions). Raises WorkError where one is missing."""

        async def vectors(session: _Session, some: Sequence[str]) -> Vectors:
            body = {"model": self.endpoint.model, "input": list(some)}
            return await session.post("embeddings", body, lambda value: _read_vectors(value, len(some)))

        starts = range(0, len(texts), TEXTS_A_REQUEST)
        found: list[Vectors] = [np.empty((0, 0), np.float32)] * len(starts)
        for number, result in self._all(vectors, (texts[at : at + TEXTS_A_REQUEST] for at in starts)):
            if isinstance(result, WorkError):
                raise result
            found[number] = result
        if len({part.shape[1] for part in found}) > 1:
            raise WorkError(f"{self.endpoint.base_url}/embeddings gives vectors of different lengths")
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)

    def _all(
        self, ask: Callable[[_Session, Given], Awaitable[Parsed]], given: Iterable[Given]
    ) -> Iterator[tuple[int, Parsed | WorkError]]:
        """What `ask` makes of each given thing, or its WorkError, as they come."""
        numbered = enumerate(given)

        async def work(put: Callable[[tuple[int, Parsed | WorkError]], None]) -> None:
            async with _Session(self) as session:

                async def worker() -> None:
                    for number, one in numbered:
                        try:
                            put((number, await ask(session, one)))
                        except WorkError as error:
                            put((number, error))

                async with asyncio.TaskGroup() as group:
                    for _ in range(self.endpoint.concurrency):
                        group.create_task(worker())

        return _from_another_thread(work)


class _Session:
    """An open client, and what it has learnt of the server."""

    def __init__(self, client: EndpointClient) -> None:
        import httpx

        endpoint, key = client.endpoint, client._key
        self._client = client
        self._http = httpx.AsyncClient(
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=None,  # which would count from byte to byte: see _once
            limits=httpx.Limits(max_connections=endpoint.concurrency),
        )
        self._answered = 0.0
        """When the server last gave an answer, by the monotonic clock."""
        self._not_before = 0.0
        """When the server wants to be asked again."""
        self._dead: WorkError | None = None

    async def __aenter__(self) -> _Session:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def post(self, path: str, body: Mapping[str, Any], parse: Callable[[Any], Parsed]) -> Parsed:
        """What `parse` makes of the answer's JSON. Raises WorkError once it gives up."""
        url = f"{self._client.endpoint.base_url}/{path}"
        patience = self._client._patience
        began = time.monotonic()
        for attempt in range(1, patience.tries + 1):
            await self._wait_for_leave()
            try:
                result = await self._once(url, body, parse)
            except _FailedError as failure:
                last = failure
                if failure.scope == "request":
                    self._answered = time.monotonic()
                if failure.scope != "moment" or attempt == patience.tries:
                    break
                self._not_before = max(self._not_before, time.monotonic() + failure.asked)
                await asyncio.sleep(patience.wait(attempt))
            else:
                self._answered = time.monotonic()
                return result
        tries = f" after {attempt} tries" if attempt > 1 else ""
        error = WorkError(f"{url}: {last.what}{tries}", hint=_hint(last))
        if last.scope == "server" or (last.scope == "moment" and self._answered < began):
            self._dead = error
        raise error

    async def _wait_for_leave(self) -> None:
        """Wait as long as the server has asked for. Raises WorkError once it is given up."""
        while not self._dead and (left := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(left)
        if self._dead:
            raise self._dead.with_traceback(None)

    async def _once(self, url: str, body: Mapping[str, Any], parse: Callable[[Any], Parsed]) -> Parsed:
        """What `parse` makes of the answer of one request. Raises _FailedError."""
        import httpx

        self._client.requests += 1
        timeout = self._client.endpoint.timeout
        try:
            async with asyncio.timeout(timeout):
                answer = await self._http.post(url, json=body)
        except TimeoutError as error:
            raise _FailedError(f"no answer within {timeout:g} s", "moment") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            what = f"the connection failed ({error or type(error).__name__})"
            raise _FailedError(what, "moment") from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer, self._client._key)
        try:
            return parse(answer.json())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            shown = _excerpt(answer.text, self._client._key)
            raise _FailedError(f"the answer is not of the protocol: {shown}", "moment", 200) from error


class _FailedError(Exception):
    """Why a request failed, and whose trouble it is: passing, this request's alone, or all requests'."""

    def __init__(
        self, what: str, scope: Literal["moment", "request", "server"], status: int = 0, asked: float = 0
    ) -> None:
        super().__init__(what)
        self.what = what
        self.scope = scope
        self.status = status
        self.asked = asked
        """Seconds that the server asked to wait."""


def _refusal(answer: httpx.Response, key: str | None) -> _FailedError:
    status = answer.status_code
    asked = _seconds(answer.headers.get("retry-after", ""))
    what = f"status {status}: {_excerpt(answer.text, key)}"
    if asked > LONGEST_ASKED:
        return _FailedError(f"{what} (to be asked again in {asked:.0f} s)", "server", status)
    if status >= 500 or status in REPEATED:
        return _FailedError(what, "moment", status, asked)
    return _FailedError(what, "server" if status in OF_SERVER else "request", status)


def _seconds(retry_after: str) -> float:
    """What the header Retry-After says, in seconds or as a date; 0 where it says nothing that can be read."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _excerpt(text: str, key: str | None) -> str:
    """The beginning of an answer on one line, without the key, which some servers repeat."""
    return one_line((text.replace(key, "***") if key else text)[:EXCERPT].strip()) or "(empty)"


def _hint(failure: _FailedError) -> str:
    if failure.status in (401, 403):
        return "Check the key: `key` names the environment variable that holds it."
    if failure.status in (404, 405):
        return "Check `base_url`, which mostly ends with /v1, and `model`."
    if failure.scope == "request":
        return "The server refuses this request; its words say why."
    return "Check that the server runs and is not overloaded, then run again: what was answered is kept."


def _read_key(variable: str | None) -> str | None:
    """The key in an environment variable. Raises UserError where there is none; never shows it."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(
            f"the environment variable {variable} {'holds no key' if key else 'is not set'}",
            hint=f"export {variable}=..., or leave `key` out for a server that wants none.",
        )
    return key


def _read_text(answer: Any) -> str:
    """The model's words. Raises _FailedError where it said none, which a repetition would hardly mend."""
    choice = answer["choices"][0]
    text = choice["message"].get("content")
    if text is None:
        why = f"the model gave no text (finish_reason: {choice.get('finish_reason')})"
        raise _FailedError(why, "request", 200)
    if not isinstance(text, str):
        raise TypeError
    return text


def _read_vectors(answer: Any, texts: int) -> Vectors:
    """The vectors of an answer in the order of the texts."""
    rows = sorted(answer["data"], key=lambda row: row["index"])
    vectors = np.array([row["embedding"] for row in rows], np.float32)
    if [row["index"] for row in rows] != list(range(texts)) or vectors.ndim != 2:
        raise ValueError
    if not np.isfinite(vectors).all():
        raise ValueError
    return vectors


def _from_another_thread(work: Callable[[Callable[[Any], None]], Awaitable[None]]) -> Iterator[Any]:
    """What an asynchronous function puts, as it comes; the function is cancelled when nobody wants more.

    A thread of its own lets the function go on while the caller is busy, also a caller that is asynchronous.
    """
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
        except BaseExceptionGroup as group:
            raised.append(group.exceptions[0])
        except BaseException as error:
            raised.append(error)
        finally:
            results.put(end)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (result := results.get()) is not end:
            yield result
    finally:
        loop, task = started.result()
        with suppress(RuntimeError):  # the loop is closed: the function has ended
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
    if raised:
        raise raised[0]

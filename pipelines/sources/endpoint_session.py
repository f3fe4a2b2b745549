"""Requests to one server in JSON: bounded, repeated while the trouble is passing, given up when it is not."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson

from mixers.printable import one_line
from pipelines.errors import WorkError
from pipelines.sources.gate import Gate

if TYPE_CHECKING:
    import aiohttp

Parsed = TypeVar("Parsed")

LONGEST_ASKED = 600
"""Seconds that a server may ask to wait for; longer is an answer, not a wait."""
LONGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer. Those of 32 texts' vectors with 8,192 dimensions are 6 million."""
KEPT_OPEN = 4
"""Seconds that an idle connection is used again; uvicorn, which vLLM runs on, closes it after 5."""
IN_VAIN = 16
"""Requests in a row that outlived all tries, after which a server is given up though it says it runs."""
REPEATED = {408, 409, 425, 429}
"""Statuses below 500 that a repetition can mend."""
OF_SERVER = {*range(300, 400), 401, 402, 403, 404, 405}
"""Statuses that every other request would get too."""
NOT_IMPLEMENTED = 501
EXCERPT = 300
"""Characters of a server's answer that an error shows."""


class RefusedError(WorkError):
    """Raised where the server refuses a request, and others not."""


class NoAnswerError(WorkError):
    """Raised where a request outlived all tries, and the server still runs."""


class Patience(NamedTuple):
    """How a request is repeated: waits double from `first_wait` to `longest_wait` seconds."""

    tries: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30

    def wait(self, attempt: int) -> float:
        """Seconds after a failed attempt, the first being 1; half of them by chance, to spread requests."""
        longest = min(self.first_wait * 2.0 ** (attempt - 1), self.longest_wait)
        return longest * random.uniform(0.5, 1)


class FailedError(Exception):
    """Why an attempt failed, and whose trouble it is: passing, this request's alone, or all requests'."""

    def __init__(
        self, what: str, scope: Literal["moment", "request", "server"], status: int = 0, asked: float = 0
    ) -> None:
        super().__init__(what)
        self.what = what
        self.scope = scope
        self.status = status
        self.asked = asked
        """Seconds that the server asked to wait."""


class EndpointSession:
    """Open connections to a server, and what has been learnt of it.

    Args:
        base_url: What comes before the paths.
        key: What the server wants to be shown.
        concurrency: Requests at the same time; more wait for their turn.
        timeout: Seconds that an answer may take.
        patience: How requests are repeated.
        sent: Called before each request, repetitions included.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        concurrency: int,
        timeout: float,
        patience: Patience,
        sent: Callable[[], None],
    ) -> None:
        self.in_vain = 0
        """Requests in a row that outlived all tries; for a caller to set back who knows of answers."""
        self.ends = False
        """Whether no request more is to be sent; for a caller to set."""
        self._base_url = base_url
        self._key = key
        self._concurrency = concurrency
        self._timeout = timeout
        self._patience = patience
        self._sent = sent
        self._gate = Gate(concurrency)
        self._looking = asyncio.Lock()
        self._proxy = _proxy(base_url)
        self._answered = 0.0
        """When the server last gave an answer, by the monotonic clock."""
        self._not_before = 0.0
        """When the server wants to be asked again."""
        self._dead: WorkError | None = None

    async def __aenter__(self) -> EndpointSession:
        import aiohttp

        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        self._errors = (aiohttp.ClientError, OSError, ValueError)
        self._http = aiohttp.ClientSession(
            headers={**headers, "authorization": f"Bearer {self._key}"} if self._key else headers,
            timeout=aiohttp.ClientTimeout(),  # none: see _answer
            connector=aiohttp.TCPConnector(limit=self._concurrency, keepalive_timeout=KEPT_OPEN),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.close()

    async def post(self, path: str, body: Mapping[str, Any], parse: Callable[[Any], Parsed]) -> Parsed:
        """What `parse` makes of the answer's JSON.

        Raises:
            RefusedError: The server refuses this request.
            NoAnswerError: This request outlived all tries.
            WorkError: The server is down, or refuses everything; every later request gets this error too.
        """
        async with self._gate:
            return await self._post(f"{self._base_url}/{path}", _encoded(body), parse)

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and content of one answer, asked for once. Raises WorkError where there is none."""
        url = f"{self._base_url}/{path}"
        try:
            status, _, content = await self._answer("GET", url, None)
        except FailedError as failure:
            raise WorkError(f"{url}: {failure.what}", hint="Check that the server runs.") from failure
        return status, content

    async def _post(self, url: str, body: bytes, parse: Callable[[Any], Parsed]) -> Parsed:
        began = time.monotonic()
        for attempt in range(1, self._patience.tries + 1):
            await self._wait_for_leave()
            if self.ends:
                raise asyncio.CancelledError
            try:
                result = await self._once(url, body, parse)
            except FailedError as failure:
                last = failure
                if failure.scope != "moment" or attempt == self._patience.tries:
                    break
                self._not_before = max(self._not_before, time.monotonic() + failure.asked)
                await asyncio.sleep(self._patience.wait(attempt))
            else:
                self._heard()
                return result
        tries = f" after {attempt} tries" if attempt > 1 else ""
        raise await self._given_up(last, f"{url}: {last.what}{tries}", began)

    async def _given_up(self, last: FailedError, what: str, began: float) -> WorkError:
        """The error of a request that failed for good; the server is given up where it is to blame."""
        hint = _hint(last)
        if last.scope == "request":
            self._heard()
            return RefusedError(what, hint=hint)
        if last.scope == "moment":
            self.in_vain += 1
            if self.in_vain < IN_VAIN and await self._runs(began, spoke=bool(last.status)):
                return NoAnswerError(what, hint=hint)
        self._dead = self._dead or WorkError(what, hint=hint)
        return self._dead

    def _heard(self) -> None:
        self._answered = time.monotonic()
        self.in_vain = 0

    async def _runs(self, since: float, spoke: bool) -> bool:
        """Whether the server has answered anything since then, or says now which models it has.

        One that does not know such a question runs if it `spoke` when it failed.
        """
        async with self._looking:
            if self._answered < since and not self._dead:
                with suppress(FailedError):
                    status, _, _ = await self._answer("GET", f"{self._base_url}/models", None)
                    if status < 500 or (spoke and status == NOT_IMPLEMENTED):
                        self._answered = time.monotonic()
            return self._answered >= since

    async def _wait_for_leave(self) -> None:
        """Wait as long as the server has asked for. Raises WorkError once it is given up."""
        while not self._dead and (left := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(left)
        if self._dead:
            raise self._dead.with_traceback(None)

    async def _once(self, url: str, body: bytes, parse: Callable[[Any], Parsed]) -> Parsed:
        """What `parse` makes of the answer of one request. Raises FailedError."""
        status, retry_after, content = await self._answer("POST", url, body)
        if status != 200:
            raise _refusal(status, retry_after, self._excerpt(content))
        try:
            return parse(_decoded(content))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            what = f"the answer is not of the protocol: {self._excerpt(content)}"
            raise FailedError(what, "moment", 200) from error

    async def _answer(self, method: str, url: str, body: bytes | None) -> tuple[int, str, bytes]:
        """Status, Retry-After and content of one answer. Raises FailedError where there is none."""
        self._sent()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.request(
                    method, url, data=body, proxy=self._proxy, allow_redirects=False
                ) as response,
            ):
                content = await _content(response)
                return response.status, response.headers.get("retry-after", ""), content
        except TimeoutError as error:
            raise FailedError(f"no answer within {self._timeout:g} s", "moment") from error
        except self._errors as error:
            what = f"the connection failed ({str(error) or type(error).__name__})"
            raise FailedError(self._hidden(what), "moment") from error

    def _excerpt(self, content: bytes) -> str:
        """The beginning of an answer on one line."""
        return one_line(self._hidden(content.decode(errors="replace"))[:EXCERPT].strip()) or "(empty)"

    def _hidden(self, text: str) -> str:
        """The text without the key, which some servers repeat."""
        return text.replace(self._key, "***") if self._key else text


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """All bytes of an answer. Raises FailedError where they are too many."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > LONGEST_ANSWER:
            raise FailedError(f"the answer is longer than {LONGEST_ANSWER} bytes", "moment", response.status)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # halves of characters and huge numbers, which escapes can write
        return json.dumps(body).encode()


def _decoded(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:  # halves of characters, which escapes can make
        return json.loads(content)


def _proxy(base_url: str) -> str | None:
    """The proxy that the environment names for an address."""
    parts = urlsplit(base_url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _refusal(status: int, retry_after: str, excerpt: str) -> FailedError:
    asked = seconds_asked(retry_after)
    what = f"status {status}: {excerpt}"
    if asked > LONGEST_ASKED:
        return FailedError(f"{what} (to be asked again in {asked:.0f} s)", "server", status)
    if status >= 500 or status in REPEATED:
        return FailedError(what, "moment", status, asked)
    return FailedError(what, "server" if status in OF_SERVER else "request", status)


def seconds_asked(retry_after: str) -> float:
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


def _hint(failure: FailedError) -> str:
    if failure.status in (401, 403):
        return "Check the key: `key` names the environment variable that holds it."
    if failure.status == 402:
        return "The account at the endpoint has no money left."
    if failure.status in OF_SERVER:
        return "Check `base_url`, which mostly ends with /v1, and `model`."
    if failure.scope == "request":
        return "The server refuses this request; its words say why."
    return "Check that the server runs and is not overloaded, then run again: what was answered is kept."

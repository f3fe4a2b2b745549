"""A language model behind an OpenAI-compatible endpoint: `/chat/completions` and `/embeddings`.

Requests run at the same time, up to a bound. One that meets a busy or broken server is repeated after a
growing wait. A server that answers nothing any more is asked nothing any more.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mixers.printable import one_line
from pipelines.errors import UserError, WorkError
from pipelines.sources.background import from_another_thread
from pipelines.sources.endpoint_session import EndpointSession, FailedError, Patience

Messages = Sequence[Mapping[str, str]]
"""A conversation: each message has a `role` and a `content`."""
Vectors = npt.NDArray[np.float32]
Parsed = TypeVar("Parsed")
Given = TypeVar("Given")

TEXTS_A_REQUEST = 32
"""Texts in one request for embeddings: what text-embeddings-inference takes unless told otherwise."""

LOOKS_FOR = 5
"""Seconds that a server has to say which models it has, before a run."""
SHOWN_MODELS = 10
"""Names of models that an error lists."""
NOT_THERE = 501
"""The status of servers that know no such request; others say 404 or 405."""
KEY_HINT = "Check the key: `key` names the environment variable that holds it."


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


class Reply(NamedTuple):
    """What a model said."""

    text: str
    """Empty where it said nothing."""
    finish_reason: str
    """`stop`, or `length` where the limit of tokens cut it short; empty where the server says none."""
    input_tokens: int
    output_tokens: int
    """0 where the server does not count."""


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

        async def answer(session: EndpointSession, messages: Messages) -> str:
            body = {"model": self.endpoint.model, "messages": list(messages), **sampling}
            return await session.post("chat/completions", body, _read_text)

        return self._all(answer, conversations)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts: float32, shape (texts, dimensions). Raises WorkError where one is missing."""

        async def vectors(session: EndpointSession, some: Sequence[str]) -> Vectors:
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

    def require_model(self) -> None:
        """Ask the server whether it has the model; one that does not say which models it has is in order.

        Raises:
            UserError: It does not take the key, or has only other models.
            WorkError: It does not answer within seconds.
        """
        names = self._models()
        if names and not any(_names(name, self.endpoint.model) for name in names):
            there = ", ".join(map(one_line, names[:SHOWN_MODELS]))
            more = f" and {len(names) - SHOWN_MODELS:,} more" if len(names) > SHOWN_MODELS else ""
            raise UserError(
                f"{self.endpoint.base_url} has no model `{self.endpoint.model}`",
                hint=f"Set `model` to one of those that it has: {there}{more}.",
            )

    def _models(self) -> list[str]:
        """The names of the server's models; none where it does not say."""

        async def ask(session: EndpointSession, path: str) -> tuple[int, bytes]:
            return await session.get(path)

        once = self.endpoint.model_copy(update={"timeout": min(LOOKS_FOR, self.endpoint.timeout)})
        _, found = next(EndpointClient(once)._all(ask, ["models"]))
        if isinstance(found, WorkError):
            raise found
        status, content = found
        url = f"{self.endpoint.base_url}/models"
        if status in (401, 403):
            what = "does not take the key" if self.endpoint.key else "wants a key"
            raise UserError(f"{url} {what} (status {status})", hint=KEY_HINT)
        if status == 429 or (status >= 500 and status != NOT_THERE):
            raise WorkError(f"{url}: status {status}", hint="Check that it runs and is not overloaded.")
        return _read_models(content) if status == 200 else []

    def session(self) -> ChatSession:
        """Chats with the model, to be opened in an event loop."""
        return ChatSession(self.endpoint.model, self._session())

    def _session(self) -> EndpointSession:
        endpoint = self.endpoint
        return EndpointSession(
            endpoint.base_url,
            self._key,
            endpoint.concurrency,
            endpoint.timeout,
            self._patience,
            self._count_request,
        )

    def _count_request(self) -> None:
        self.requests += 1

    def _all(
        self, ask: Callable[[EndpointSession, Given], Awaitable[Parsed]], given: Iterable[Given]
    ) -> Iterator[tuple[int, Parsed | WorkError]]:
        """What `ask` makes of each given thing, or its WorkError, as they come."""
        numbered = enumerate(given)

        async def work(put: Callable[[tuple[int, Parsed | WorkError]], None]) -> None:
            async with self._session() as session:

                async def worker() -> None:
                    for number, one in numbered:
                        try:
                            put((number, await ask(session, one)))
                        except WorkError as error:
                            put((number, error))

                async with asyncio.TaskGroup() as group:
                    for _ in range(self.endpoint.concurrency):
                        group.create_task(worker())

        return from_another_thread(work)


class ChatSession:
    """Chats with an endpoint from one event loop: `async with client.session() as session`."""

    def __init__(self, model: str, session: EndpointSession) -> None:
        self._model = model
        self._session = session

    async def __aenter__(self) -> ChatSession:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.__aexit__(*error)

    async def chat(self, messages: Messages, **sampling: Any) -> Reply:
        """The model's answer. `sampling` goes into the request: temperature, max_tokens and the like.

        Raises:
            RefusedError: The server refuses this request.
            NoAnswerError: This request outlived all tries.
            WorkError: The server is down, or refuses everything.
        """
        body = {"model": self._model, "messages": list(messages), **sampling}
        return await self._session.post("chat/completions", body, _read_reply)

    def send_no_more(self) -> None:
        """Send no request more; those that wait for their turn, or to be repeated, are cancelled."""
        self._session.ends = True

    def knows_answers(self) -> None:
        """Be told that the server has answered others: it is not given up for those that it does not."""
        self._session.in_vain = 0


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


def _read_models(content: bytes) -> list[str]:
    """The names in a list of models; none where it is no list, or only the beginning of one."""
    try:
        answer = orjson.loads(content)
        names = [] if answer.get("has_more") else [model["id"] for model in answer["data"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []
    return names if all(isinstance(name, str) for name in names) else []


def _names(listed: str, model: str) -> bool:
    """Whether a name in a list stands for the model.

    Ollama lists `llama3:latest` and answers to `llama3` too, Gemini `models/gemini-2.5-flash`; a proxy's
    `openai/*` may stand for anything.
    """
    return "*" in listed or listed in (model, f"{model}:latest") or listed.endswith(f"/{model}")


def _read_text(answer: Any) -> str:
    """The model's words. Raises FailedError where it said none, which a repetition would hardly mend."""
    choice = answer["choices"][0]
    if choice["message"].get("content") is None:
        why = f"the model gave no text (finish_reason: {choice.get('finish_reason')})"
        raise FailedError(why, "request", 200)
    return _read_reply(answer).text


def _read_reply(answer: Any) -> Reply:
    choice = answer["choices"][0]
    message = choice["message"]
    text = message.get("content")
    if text is None:
        text = message.get("refusal") or ""
    reason = choice.get("finish_reason")
    usage = answer.get("usage")
    return Reply(
        _whole_characters(text),
        _whole_characters(reason) if isinstance(reason, str) else "",
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
    )


def _whole_characters(text: str) -> str:
    """The text with U+FFFD for halves of characters. Raises AttributeError or TypeError where it is none."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and count > 0 else 0


def _read_vectors(answer: Any, texts: int) -> Vectors:
    """The vectors of an answer in the order of the texts."""
    rows = sorted(answer["data"], key=lambda row: row["index"])
    vectors = np.array([row["embedding"] for row in rows], np.float32)
    if [row["index"] for row in rows] != list(range(texts)) or vectors.ndim != 2:
        raise ValueError
    if not np.isfinite(vectors).all():
        raise ValueError
    return vectors

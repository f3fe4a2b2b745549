"""Questions of a run: looked for in the store, sent once however many ask at the same time, stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from pipelines.errors import WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.sources.endpoint import ChatSession, EndpointClient
from pipelines.sources.endpoint_session import NoAnswerError, RefusedError
from pipelines.synthesis.ask import Answer
from pipelines.synthesis.asking.answers import Answers, StoredAnswer
from pipelines.synthesis.asking.thoughts import without_thoughts
from pipelines.synthesis.draft import NO_ANSWER, RejectedError, Rejection
from pipelines.synthesis.model import ModelEndpoint
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt

REFUSED = "refused_request"
EMPTY = "empty"
REFUSED_IN_A_ROW = 50
"""Refusals without an answer between them, after which the server is taken to refuse everything."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where it comes from."""

    messages: Sequence[Mapping[str, str]]
    schema: Mapping[str, Any] | None
    draw: int
    prompt: Prompt
    passage: Passage


class NotStoredError(Exception):
    """Raised where a question was not answered before."""


class StoredQuestions:
    """What was answered before: nothing is sent.

    Args:
        model: The model's name.
        answers: Where answers are looked for.
        sampling: What went into each request.
    """

    def __init__(self, model: str, answers: Answers, sampling: Mapping[str, Any]) -> None:
        self._model = model
        self._answers = answers
        self._sampling = dict(sampling)

    def key(self, question: Question) -> str:
        """The name of a question: whatever decides about its answer."""
        return fingerprint([self._model, question.messages, self._sampling, question.schema, question.draw])

    async def answer(self, key: str, question: Question) -> StoredAnswer | Rejection:
        """The answer to a question. Raises NotStoredError where there is none."""
        if found := self._answers.get(key):
            return found
        raise NotStoredError(key)


class Questions(StoredQuestions):
    """What a run asks its model.

    Args:
        client: Where the model answers.
        session: Its open session.
        answers: Where answers are looked for and stored.
        sampling: What goes into each request.
        group: The tasks of the run: what ends it, ends requests too.
    """

    def __init__(
        self,
        client: EndpointClient,
        session: ChatSession,
        answers: Answers,
        sampling: Mapping[str, Any],
        group: asyncio.TaskGroup,
    ) -> None:
        endpoint = client.endpoint
        super().__init__(endpoint.model, answers, sampling)
        self._guided = isinstance(endpoint, ModelEndpoint) and endpoint.guided
        self._session = session
        self._group = group
        self._under_way: dict[str, asyncio.Task[StoredAnswer | Rejection]] = {}
        self._refused = 0

    @override
    async def answer(self, key: str, question: Question) -> StoredAnswer | Rejection:
        """The answer to a question, or why there is none. Raises WorkError where that ends the run."""
        if found := self._answers.get(key):
            self._session.knows_answers()
            self._refused = 0
            return found
        task = self._under_way.get(key)
        if task is None:
            task = self._group.create_task(self._send(key, question))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for the answers of what is under way, and send nothing more: they are paid for."""
        self._session.send_no_more()
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    async def _send(self, key: str, question: Question) -> StoredAnswer | Rejection:
        began = time.time()
        try:
            reply = await self._session.chat(question.messages, **self._settings(question))
        except NoAnswerError as error:
            return Rejection.of(NO_ANSWER, error.message)
        except RefusedError as error:
            return self._refusal(error)
        self._refused = 0
        answer = StoredAnswer(
            model=self._model,
            prompt=question.prompt.name,
            prompt_hash=question.prompt.hash,
            passage=question.passage.id,
            draw=question.draw,
            began=began,
            ended=time.time(),
            **reply._asdict(),
        )
        self._answers.add(key, answer)
        return answer

    def _settings(self, question: Question) -> dict[str, Any]:
        settings = dict(self._sampling)
        if question.schema is not None and self._guided:
            schema = {"name": "answer", "schema": question.schema}
            settings["response_format"] = {"type": "json_schema", "json_schema": schema}
        if question.draw:
            settings["seed"] = settings.get("seed", 0) + question.draw
        return settings

    def _refusal(self, error: RefusedError) -> Rejection:
        self._refused += 1
        if self._refused == REFUSED_IN_A_ROW:
            raise WorkError(
                f"the server refused {REFUSED_IN_A_ROW} requests in a row; the last: {error.message}",
                hint="Mend `sampling` or the endpoint's settings, as the server's words say, and run again.",
            )
        return Rejection.of(REFUSED, error.message)


class Asker:
    """Asks about one passage: the `Ask` that methods see."""

    def __init__(self, passage: Passage, questions: StoredQuestions) -> None:
        self.used: dict[str, StoredAnswer] = {}
        """What was answered, by key."""
        self._passage = passage
        self._questions = questions

    async def __call__(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        """The answer to a prompt that is filled with values. Raises RejectedError where there is none."""
        question = Question(prompt.messages(values), schema, draw, prompt, self._passage)
        key = self._questions.key(question)
        found = await self._questions.answer(key, question)
        if isinstance(found, Rejection):
            raise RejectedError(found)
        self.used[key] = found
        text = without_thoughts(found.text)
        if not text.strip():
            raise RejectedError(Rejection.of(EMPTY, found.text))
        return Answer(text, found.finish_reason, found.input_tokens, found.output_tokens)

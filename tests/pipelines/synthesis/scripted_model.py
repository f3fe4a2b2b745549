"""A model that the tests script: it answers by the name of the prompt, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import orjson

from pipelines.synthesis.ask import Answer
from pipelines.synthesis.draft import RejectedError, Rejection
from pipelines.synthesis.prompt import Prompt

Script = Mapping[str, str | Callable[[Mapping[str, Any]], str] | Exception]


class ScriptedModel:
    """`Ask`, for a method under test."""

    def __init__(self, script: Script, finish_reason: str = "stop") -> None:
        self._script = script
        self._finish_reason = finish_reason
        self.asked: list[tuple[str, list[dict[str, str]]]] = []
        """The file of each prompt, and the messages."""

    async def __call__(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        file = PurePath(prompt.name).name
        self.asked.append((file, prompt.messages(values)))
        said = self._script.get(file.split(".")[0], Rejection("no_answer"))
        if isinstance(said, Rejection):
            raise RejectedError(said)
        return Answer(said(values) if callable(said) else str(said), self._finish_reason)

    def names(self) -> list[str]:
        """The prompts that were asked, such as `faq`."""
        return [file.split(".")[0] for file, _ in self.asked]

    def repeated(self) -> int:
        """How many questions were asked before in the same words, those that list entities aside."""
        sent = [orjson.dumps(messages) for file, messages in self.asked if not file.startswith("entities")]
        return len(sent) - len(set(sent))

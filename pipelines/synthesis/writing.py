"""One text about a passage: asked for, and made a draft of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xxhash

from pipelines.synthesis.ask import Answer, Ask
from pipelines.synthesis.bare_text import bare_text
from pipelines.synthesis.draft import Draft, RejectedError, Rejection
from pipelines.synthesis.languages import language_name
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt, Prompts

CUT_SHORT = "cut_short"
"""The reason of what the limit of tokens cut off in the middle."""
UNPARSED = "unparsed"
"""The reason of what is not the JSON that was asked for."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A passage, the model that is asked about it, and the prompts of a method."""

    method: str
    passage: Passage
    ask: Ask
    prompts: Prompts

    def prompt(self, name: str) -> Prompt:
        """A prompt of the method for the passage's language."""
        return self.prompts.get(f"{self.method}/{name}", self.passage.language)

    async def answer(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        """The answer to a prompt that is filled with the passage and `values`. Raises RejectedError."""
        same = prompt.language == self.passage.language
        language = "" if same else language_name(self.passage.language)
        values = {"passage": self.passage.text, "language": language, **values}
        return await self.ask(prompt, values, schema=schema, draw=draw)

    async def text(
        self, kind: str, *, after: str = "", passages: tuple[str, ...] = (), **values: Any
    ) -> Draft:
        """The text that the prompt `kind` gives.

        Args:
            kind: The name of the prompt, and of what it gives.
            after: The hash of the prompt whose answer is among the values.
            passages: The ids of all passages that it rests on, where there are several.
            values: What stands in the prompt's places.

        Raises:
            RejectedError: There is no answer, or half of one.
        """
        prompt = self.prompt(kind)
        answer = await self.answer(prompt, values)
        if answer.finish_reason == "length":
            raise RejectedError(Rejection.of(CUT_SHORT, answer.text))
        return self.draft(kind, bare_text(answer.text), prompt, after=after, passages=passages)

    def draft(
        self,
        kind: str,
        text: str,
        prompt: Prompt,
        *,
        claims: str | None = None,
        after: str = "",
        passages: tuple[str, ...] = (),
    ) -> Draft:
        """A text that came of a prompt; it must be grounded, or `claims` must."""
        return Draft(
            kind=kind,
            language=self.passage.language,
            prompt=f"{after}+{prompt.hash}" if after else prompt.hash,
            text=text,
            claims=text if claims is None else claims,
            instructions=prompt.instructions,
            passages=passages,
        )


def rank(*parts: str) -> str:
    """Puts things in an order that is as good as random and always the same."""
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode("utf-8", "surrogatepass"))

"""Translations of documents: texts, and conversations with their roles, turns and calls of tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field
from typing_extensions import override

from pipelines.execution.fingerprint import fingerprint
from pipelines.settings import Share
from pipelines.synthesis.ask import Ask, Making
from pipelines.synthesis.checks.checks import Checks
from pipelines.synthesis.draft import Draft, RejectedError, Rejection, Result
from pipelines.synthesis.method import Method
from pipelines.synthesis.passage import Passage, Turns
from pipelines.synthesis.prompt import Prompt, Prompts
from pipelines.synthesis.translation.faithful import UNTRANSLATED, Languages
from pipelines.synthesis.translation.glossary import Glossary
from pipelines.synthesis.translation.translator import Translator

PROMPT = "translate/text"
OTHER_LANGUAGE = "other_language"
"""The reason of documents that are in none of the languages that are translated."""
_SAMPLING: dict[str, Any] = {"temperature": 0.3, "top_p": 0.95, "max_tokens": 4096}
_REASONING = ("reasoning_content", "reasoning", "thinking")
_OF_TOOLS = ("tool", "function", "ipython", "observation")
"""Roles whose contents are what a program gave."""


class TranslationChecks(Checks):
    """What translations must pass: as long as their originals, whatever these say."""

    min_words: int = Field(0, ge=0, description="Words of an answer, or of a text, at least.")
    max_words: int = Field(1_000_000, ge=1, description="At most.")
    refusals: bool = Field(False, description="Whether refusals are rejected.")


class Translate(Method):
    """Translates documents; each is one draft, or is rejected as a whole."""

    VERSION: ClassVar[int] = 1
    pieces: ClassVar[bool] = False

    method: Literal["translate"] = "translate"
    to: str = Field(
        pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?$", description="The code of the language to translate into."
    )
    only: list[str] | None = Field(
        None, description="The languages to translate from; null: every other language than `to`."
    )
    glossary: Path | None = Field(
        None, description="A file of terms and their translations: YAML, or .tsv of two columns."
    )
    round_trip: Share | None = Field(
        None,
        description="How similar each piece, translated back, must be to the original at least (chrF); "
        "null: none is translated back.",
    )
    piece_characters: int = Field(
        3_000, ge=200, description="Longer texts are translated in pieces of at most so many."
    )
    sampling: dict[str, Any] = Field(
        default_factory=_SAMPLING.copy, description="What goes into each request, such as temperature."
    )
    checks: TranslationChecks = Field(
        default_factory=TranslationChecks, description="What translations must pass besides."
    )

    @property
    @override
    def calls_a_passage(self) -> float:
        """A question and its answer, and both again where they are translated back."""
        return 2.0 * self._ways

    @property
    @override
    def drafts_a_passage(self) -> float:
        return 1.0

    @override
    def tokens_a_passage(self, passage: float) -> tuple[float, float]:
        """Each call has a piece of the document, and a translation is about as long."""
        return self._ways * passage, self._ways * passage

    @property
    def _ways(self) -> int:
        return 1 if self.round_trip is None else 2

    @override
    def located(self, path: Callable[[str], Path]) -> Self:
        glossary = self.glossary and path(str(self.glossary))
        return super().located(path).model_copy(update={"glossary": glossary})

    @property
    @override
    def files(self) -> dict[str, str]:
        glossary = {"glossary": Glossary.read(self.glossary).hash} if self.glossary else {}
        return super().files | glossary

    @override
    def build(self, prompts: Prompts) -> Making:
        glossary = Glossary() if self.glossary is None else Glossary.read(self.glossary)
        return _Translation(self, prompts, prompts.get(PROMPT, self.to), glossary)


@dataclass(frozen=True)
class _Translation:
    config: Translate
    prompts: Prompts
    prompt: Prompt
    glossary: Glossary

    async def __call__(self, passage: Passage, ask: Ask) -> Sequence[Result]:
        only = self.config.only
        if passage.language == self.config.to or (only is not None and passage.language not in only):
            raise RejectedError(Rejection.of(OTHER_LANGUAGE, passage.text))
        translator = self._translator(passage, ask)
        draft = Draft(
            kind="translation",
            language=self.config.to,
            prompt=self._hash(translator),
            keeps_protected=True,
            instructions=self.prompt.instructions,
        )
        if passage.messages is None:
            text = await translator.translate(passage.text)
            return [_changed(draft, passage, text=text)]
        messages, fields = await _conversation(passage.messages, passage.template_fields, translator)
        return [_changed(draft, passage, messages=messages, template_fields=fields)]

    def _translator(self, passage: Passage, ask: Ask) -> Translator:
        back = None if self.config.round_trip is None else self.prompts.get(PROMPT, passage.language)
        return Translator(
            ask=ask,
            languages=Languages(passage.language, self.config.to),
            prompt=self.prompt,
            glossary=self.glossary,
            piece_characters=self.config.piece_characters,
            back=back,
            least_similarity=self.config.round_trip or 0.0,
        )

    def _hash(self, translator: Translator) -> str:
        back = translator.back
        return self.prompt.hash if back is None else fingerprint([self.prompt.hash, back.hash])


def _changed(draft: Draft, passage: Passage, **said: Any) -> Draft:
    """The draft with what it says. Raises RejectedError where that is what the passage said."""
    if said.get("text") == passage.text or said.get("messages", ()) == passage.messages:
        raise RejectedError(Rejection.of(UNTRANSLATED, passage.text))
    return replace(draft, **said)


async def _conversation(
    turns: Turns, template_fields: str | None, translator: Translator
) -> tuple[Turns, str | None]:
    """The turns, and what a chat template gets besides, with what people and the model say translated."""
    fields: dict[str, Any] = json.loads(template_fields) if template_fields else {}
    extras: list[dict[str, Any]] = fields.get("messages") or [{} for _ in turns]
    messages = []
    for turn, extra in zip(turns, extras, strict=True):
        await _translate_reasoning(extra, translator)
        is_said = turn["content"] and turn["role"] not in _OF_TOOLS
        messages.append({**turn, "content": await translator.translate(turn["content"])} if is_said else turn)
    reasons = any(name in extra for extra in extras for name in _REASONING)
    return tuple(messages), json.dumps(fields, ensure_ascii=False) if reasons else template_fields


async def _translate_reasoning(extra: dict[str, Any], translator: Translator) -> None:
    done: dict[str, str] = {}
    for name in _REASONING:
        text = extra.get(name)
        if isinstance(text, str):
            if text not in done:
                done[text] = await translator.translate(text)
            extra[name] = done[text]

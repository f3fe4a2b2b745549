"""Translates the texts of a document, one after the other, in pieces that a model can do at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.synthesis.ask import Ask
from pipelines.synthesis.chunks import chunk_spans
from pipelines.synthesis.draft import NO_ANSWER, RejectedError, Rejection
from pipelines.synthesis.languages import NAMES, language_name
from pipelines.synthesis.prompt import Prompt
from pipelines.synthesis.translation.faithful import ROUND_TRIP, Languages, fault, similarity
from pipelines.synthesis.translation.glossary import Glossary
from pipelines.synthesis.translation.masking import MARK, Masked, masked, without_marks

CUT_SHORT = "cut_short"
_FINAL = (NO_ANSWER, "refused_request")
"""Reasons for which asking once more is of no use."""
CONTEXT = 400
"""Characters of what comes before that are shown with each piece, at most."""
_LETTER = re.compile(r"[^\W\d_]")
_WRAPPED = re.compile(r"\s*<text>\n?(.*?)\n?</text>\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Context:
    """The end of what was translated before, and of its translation."""

    text: str
    translation: str


@dataclass
class Translator:
    """Translates the texts of one document. What it has translated last is the context of what follows."""

    ask: Ask
    languages: Languages
    prompt: Prompt
    glossary: Glossary
    piece_characters: int
    back: Prompt | None = None
    """The prompt that translates back, where that is to be tried."""
    least_similarity: float = 0.0
    _before: Context | None = field(default=None, init=False)

    async def translate(self, text: str) -> str:
        """The translation of a text.

        Raises:
            RejectedError: A piece of it has none, or none that is faithful.
        """
        whole = masked(text)
        pieces = [await self._piece(whole.text[start:end], whole) for start, end in self._spans(whole.text)]
        return whole.restored("".join(pieces))

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """The pieces of a masked text, none of which begins within a mark."""
        ends = [end for _, end in chunk_spans(text, self.piece_characters)]
        within = {
            at: mark.start() for mark in MARK.finditer(text) for at in range(mark.start() + 1, mark.end())
        }
        starts = [0, *(within.get(end, end) for end in ends[:-1])]
        return list(zip(starts, [*starts[1:], len(text)], strict=True))

    async def _piece(self, piece: str, whole: Masked) -> str:
        if not _LETTER.search(without_marks(piece)):
            return piece
        text = piece.strip()
        start = piece.index(text)
        try:
            translation = await self._once(text, whole, draw=0)
        except RejectedError as error:
            if error.rejection.reason in _FINAL:
                raise
            translation = await self._once(text, whole, draw=1)
        self._before = Context(_end(text), _end(translation))
        return piece[:start] + translation + piece[start + len(text) :]

    async def _once(self, text: str, whole: Masked, draw: int) -> str:
        terms = self.glossary.within(without_marks(text))
        values = {"text": text, "terms": terms, "before": self._before} | self._names(self.languages)
        translation = await self._asked(self.prompt, values, draw)
        reason = fault(text, translation, whole, self.languages, terms)
        if reason is None and self.back is not None:
            reason = await self._round_trip(text, translation, self.back, draw)
        if reason is not None:
            raise RejectedError(Rejection.of(reason, whole.restored(translation)))
        return translation

    async def _round_trip(self, text: str, translation: str, back: Prompt, draw: int) -> str | None:
        reverse = Languages(self.languages.to, self.languages.source)
        values = {"text": translation, "terms": (), "before": None} | self._names(reverse)
        again = await self._asked(back, values, draw)
        alike = similarity(without_marks(text), without_marks(again))
        return ROUND_TRIP if alike < self.least_similarity else None

    async def _asked(self, prompt: Prompt, values: Mapping[str, object], draw: int) -> str:
        answer = await self.ask(prompt, values, draw=draw)
        if answer.finish_reason == "length":
            raise RejectedError(Rejection.of(CUT_SHORT, answer.text))
        wrapped = _WRAPPED.fullmatch(answer.text)
        return (wrapped[1] if wrapped else answer.text).strip()

    def _names(self, languages: Languages) -> dict[str, str]:
        to = NAMES.get(languages.to, f"the language whose code is {languages.to}")
        return {"source": language_name(languages.source), "language": to}


def _end(text: str) -> str:
    """The end of a text, from the beginning of a word on, without marks."""
    text = without_marks(text)
    return text if len(text) <= CONTEXT else text[-CONTEXT:].partition(" ")[2]

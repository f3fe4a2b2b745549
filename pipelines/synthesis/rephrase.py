"""What a passage says, written anew in another style.

After Maini et al. 2024, "Rephrasing the web" (arXiv 2401.16380).
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from pipelines.settings import Share
from pipelines.synthesis.ask import Ask, Making, each
from pipelines.synthesis.checks.checks import Checks
from pipelines.synthesis.chunks import fenced_blocks
from pipelines.synthesis.draft import Draft, RejectedError, Rejection, Result
from pipelines.synthesis.method import Method
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.writing import Writing

Style = Literal["textbook", "encyclopaedia", "dialogue"]
LOST = "lost_code"
"""The reason of a text that lacks a code block or a formula of its passage."""
_FORMULA = re.compile(r"\$\$[^$]++\$\$|\\\[(?:[^\\]|\\[^\[\]]){1,2000}+\\\]")


class RephrasingChecks(Checks):
    """What new text must pass; other words are wanted here, so fewer must be the passage's."""

    grounded_words: Share | None = Field(
        0.25, description="More than this share of a text's content words must stand in its passage."
    )


class Rephrase(Method):
    """Passages in other styles."""

    VERSION: ClassVar[int] = 1

    method: Literal["rephrase"] = "rephrase"
    styles: tuple[Style, ...] = Field(
        ("textbook", "encyclopaedia"),
        min_length=1,
        description="A text of each is written about each passage: textbook explains, encyclopaedia states, "
        "dialogue lets two people talk.",
    )
    passage_characters: int = Field(
        2_500,
        ge=200,
        description="Longer documents are cut at paragraphs into passages of at most so many: of long ones "
        "a model keeps less.",
    )
    checks: RephrasingChecks = Field(default_factory=RephrasingChecks, description="What new text must pass.")

    @property
    @override
    def calls_a_passage(self) -> float:
        return len(set(self.styles))

    @override
    def tokens_a_passage(self, passage: float) -> tuple[float, float]:
        """A text of each style is about as long as its passage."""
        return self.calls_a_passage * passage, self.calls_a_passage * passage

    @override
    def build(self, prompts: Prompts) -> Making:
        async def make(passage: Passage, ask: Ask) -> list[Result]:
            writing = Writing("rephrase", passage, ask, prompts)
            return await each(_rephrased(writing, style) for style in dict.fromkeys(self.styles))

        return make


async def _rephrased(writing: Writing, style: Style) -> Draft:
    draft = await writing.text(style)
    text = _squeezed(draft.text or "")
    if any(_squeezed(kept) not in text for kept in _verbatim(writing.passage.text)):
        raise RejectedError(Rejection.of(LOST, draft.text or ""))
    return draft


def _verbatim(text: str) -> list[str]:
    """The code blocks, without their fences, and the formulas that stand alone."""
    return [*fenced_blocks(text), *_FORMULA.findall(text)]


def _squeezed(text: str) -> str:
    return " ".join(text.split())

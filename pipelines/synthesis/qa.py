"""Questions about passages, and their answers, by a model: several a call, each call of one kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import override

from pipelines.settings import Share
from pipelines.synthesis.ask import Answer, Ask, Making, each
from pipelines.synthesis.draft import Draft, RejectedError, Rejection, Result
from pipelines.synthesis.json_answers import parse_objects
from pipelines.synthesis.method import Method, as_weights
from pipelines.synthesis.passage import Passage, Turns
from pipelines.synthesis.prompt import Prompt, Prompts
from pipelines.synthesis.questions.kinds import EMPTY, KINDS, MISSING_FIELD, KindName
from pipelines.synthesis.writing import CUT_SHORT, UNPARSED, Writing, chance

NO_KIND = "no_kind_fits"
"""The reason of a passage about which nothing of what is wanted can be asked."""
UNGROUNDED = "ungrounded_code"
"""The reason of a question about code that is not that of the passage."""
WRAPPER = "questions"
"""The field of an answer that holds the questions."""

DEFAULT_KINDS: dict[KindName, float] = {
    "factual": 3,
    "why": 2,
    "multi_hop": 2,
    "definition": 1,
    "summary": 1,
    "code_explanation": 2,
    "code_exercise": 1,
    "maths": 1,
    "dialogue": 1,
    "unanswerable": 0.5,
}


class Questions(Method):
    """Questions and answers about passages."""

    VERSION: ClassVar[int] = 1

    method: Literal["qa"] = "qa"
    kinds: Annotated[
        dict[KindName, Annotated[float, Field(gt=0)]], BeforeValidator(as_weights), Field(min_length=1)
    ] = Field(
        default_factory=DEFAULT_KINDS.copy,
        description="A list of kinds, or relative weights of them. A passage is only asked for what it can "
        "give: code_explanation and code_exercise where it contains code, maths where it has several "
        "numbers, multi_hop, summary and dialogue where it is long.",
    )
    per_passage: int = Field(2, ge=1, description="Calls about a passage; each asks for another kind.")
    per_call: int = Field(4, ge=1, le=20, description="Questions that a call asks for.")
    with_passage: Share = Field(
        0,
        description="The share of questions that show the passage (reading comprehension). The rest stand "
        "alone; unanswerable ones, and ones about code that they do not quote, always show it.",
    )

    @property
    @override
    def calls_a_passage(self) -> float:
        return self.per_passage

    @property
    @override
    def drafts_a_passage(self) -> float:
        return self.per_passage * self.per_call

    @override
    def build(self, prompts: Prompts) -> Making:
        async def make(passage: Passage, ask: Ask) -> list[Result]:
            calls = self.calls(passage)
            if not calls:
                return [Rejection.of(NO_KIND, passage.text)]
            writing = Writing("qa", passage, ask, prompts)
            results = await each(self._asked(writing, kind, draw) for kind, draw in calls)
            return [one for found in results for one in ([found] if isinstance(found, Rejection) else found)]

        return make

    def calls(self, passage: Passage) -> list[tuple[KindName, int]]:
        """The kind of each call about a passage, and how often it was asked for before: always the same.

        Kinds are drawn by weight and without repetition (Efraimidis & Spirakis 2006, "Weighted random
        sampling with a reservoir"), and again from the first where there are fewer than calls.
        """
        fitting = [kind for kind in self.kinds if KINDS[kind].fits(passage)]
        drawn = sorted(
            fitting, key=lambda kind: chance(passage.id, kind) ** (1 / self.kinds[kind]), reverse=True
        )
        return [(drawn[n % len(drawn)], n // len(drawn)) for n in range(self.per_passage if drawn else 0)]

    async def _asked(self, writing: Writing, kind: KindName, draw: int) -> list[Result]:
        prompt = writing.prompt(kind)
        count = min(self.per_call, KINDS[kind].most)
        answer = await writing.answer(prompt, {"count": count}, schema=KINDS[kind].schema(count), draw=draw)
        return list(self._results(answer, kind, writing.passage, prompt))

    def _results(self, answer: Answer, kind: KindName, passage: Passage, prompt: Prompt) -> Iterator[Result]:
        objects = parse_objects(answer.text)
        cut = answer.finish_reason == "length" and not any(WRAPPER in found for found in objects)
        items = list(_items(objects))
        for item in items:
            result = self._result(item, kind, passage, prompt)
            if not (cut and isinstance(result, Rejection) and result.reason == MISSING_FIELD):
                yield result
        if cut:
            yield Rejection.of(CUT_SHORT, answer.text)
        elif not items:
            nothing = not answer.text.strip() or objects
            yield Rejection.of(EMPTY if nothing else UNPARSED, answer.text)

    def _result(self, item: object, kind: KindName, passage: Passage, prompt: Prompt) -> Result:
        if not isinstance(item, dict):
            return Rejection.of(UNPARSED, str(item))
        try:
            written = KINDS[kind].written(item)
        except RejectedError as error:
            return error.rejection
        if not _stands_in(written.quoted, passage.text):
            return Rejection.of(UNGROUNDED, written.question)
        shown = written.needs_passage or chance(passage.id, kind, written.question) < self.with_passage
        return Draft(
            kind=kind,
            language=passage.language,
            prompt=prompt.hash,
            messages=_showing(passage, written.turns) if shown else written.turns,
            question=written.question,
            claims=written.claims,
            refuses=KINDS[kind].refuses,
            instructions=prompt.instructions,
        )


def _items(objects: list[dict[str, Any]]) -> Iterator[Any]:
    """What stands for a question in the objects of an answer, in a list of questions or without one."""
    for found in objects:
        inner = found.get(WRAPPER, [found])
        yield from inner if isinstance(inner, list) else [inner]


def _stands_in(code: str, text: str) -> bool:
    """Whether each line that says something is one of the text's."""
    lines = {line.strip() for line in text.splitlines()}
    return all(line.strip() in lines for line in code.splitlines() if re.search(r"\w", line))


def _showing(passage: Passage, turns: Turns) -> Turns:
    """A conversation whose first turn begins with the passage."""
    first: Mapping[str, str] = turns[0]
    return ({**first, "content": f"{passage.text.strip()}\n\n{first['content']}"}, *turns[1:])

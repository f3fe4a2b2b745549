"""The formats of FinePhrase: questions and answers, a maths problem, a table, a tutorial.

Niklaus et al. 2026, "How can we synthesize high-quality pretraining data?", arXiv 2604.13977, found these
four better than the sources and than other ways to rewrite them, with models of 1 to 1.7 B parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.synthesis.ask import each
from pipelines.synthesis.draft import Draft, RejectedError, Rejection, Result
from pipelines.synthesis.json_answers import parse_objects
from pipelines.synthesis.writing import UNPARSED, Writing

PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1} for name in ("problem", "solution")},
    "required": ["problem", "solution"],
    "additionalProperties": False,
}


async def in_format(writing: Writing, name: str, sides: Sequence[str]) -> list[Result]:
    """The passage in a format, once from each of several sides: entities that the text is about."""
    if name == "maths":
        return await each(_problem(writing, side) for side in sides)
    return await each(writing.text(name, side=side) for side in sides)


async def _problem(writing: Writing, side: str) -> Draft:
    """A problem and its solution. The problem must be grounded; the solution computes what is not there."""
    prompt = writing.prompt("maths")
    answer = await writing.answer(prompt, {"side": side}, PROBLEM)
    for found in parse_objects(answer.text):
        problem, solution = found.get("problem"), found.get("solution")
        if isinstance(problem, str) and isinstance(solution, str) and problem.strip() and solution.strip():
            text = f"{problem.strip()}\n\n{solution.strip()}"
            return writing.draft("maths", text, prompt, claims=problem)
    raise RejectedError(Rejection.of(UNPARSED, answer.text))

"""A study plan of the model's own, and what each of its steps writes.

After Active Reading (Lin et al. 2025, "Learning facts at scale with Active Reading", arXiv 2508.09494): a
model that is asked how to study a document proposes other ways for each, and so writes more varied texts
than fixed formats do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.synthesis.ask import each
from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.json_answers import parse_objects
from pipelines.synthesis.writing import UNPARSED, Writing

LONGEST = 400
"""Characters of what a step says."""
_STEP: dict[str, Any] = {
    "type": "object",
    "properties": {
        name: {"type": "string", "minLength": 1, "maxLength": LONGEST} for name in ("learn", "how")
    },
    "required": ["learn", "how"],
    "additionalProperties": False,
}


async def study(writing: Writing, steps: int) -> list[Result]:
    """A text for each of at most `steps` steps of a plan. Raises RejectedError where there is no plan."""
    prompt = writing.prompt("plan")
    answer = await writing.answer(prompt, {"steps": steps}, _schema(steps))
    plan = _steps(parse_objects(answer.text))[:steps]
    if not plan:
        raise RejectedError(Rejection.of(UNPARSED, answer.text))
    return await each(writing.text("study", after=prompt.hash, learn=learn, how=how) for learn, how in plan)


def _schema(steps: int) -> dict[str, Any]:
    plan = {"type": "array", "minItems": 1, "maxItems": steps, "items": _STEP}
    return {
        "type": "object",
        "properties": {"plan": plan},
        "required": ["plan"],
        "additionalProperties": False,
    }


def _steps(objects: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """What is to be learnt and how, each pair once."""
    items = [item for each in objects for item in _items(each) if isinstance(item, dict)]
    pairs = [(_tidy(item.get("learn")), _tidy(item.get("how"))) for item in items]
    return list(dict.fromkeys((learn, how) for learn, how in pairs if learn and how))


def _items(value: dict[str, Any]) -> list[Any]:
    listed = value.get("plan", [value])
    return listed if isinstance(listed, list) else []


def _tidy(value: Any) -> str:
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""

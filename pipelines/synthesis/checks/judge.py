"""An LLM as a judge: the model is asked whether an answer is right and supported by its passage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from pipelines.synthesis.ask import Ask
from pipelines.synthesis.draft import Rejection
from pipelines.synthesis.prompt import Prompts

ANSWER, TEXT = "judge/answer", "judge/text"
"""The prompts for an answer to a question, and for a text without one."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 400}, "verdict": {"enum": ["yes", "no"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
_VERDICTS = {"yes": True, "да": True, "no": False, "нет": False}
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


async def judged_fault(
    claims: str, question: str, passage: str, language: str, prompts: Prompts, ask: Ask
) -> Rejection | None:
    """`judged_bad` where the judge says no, `judge_unreadable` where it says neither yes nor no.

    Raises RejectedError where the judge gives no answer.
    """
    prompt = prompts.get(ANSWER if question else TEXT, language)
    values = {"passage": passage, "question": question, "answer": claims}
    answer = await ask(prompt, values, schema=SCHEMA)
    supported = verdict(answer.text)
    if supported is None:
        return Rejection.of("judge_unreadable", f"{answer.text}\n\n{claims}")
    return None if supported else Rejection.of("judged_bad", f"{answer.text}\n\n{claims}")


def verdict(text: str) -> bool | None:
    """What a judge says: in JSON with a `verdict`, or in one word; None where neither is there."""
    said: object = text
    if found := _OBJECT.search(text):
        try:
            parsed = orjson.loads(found[0])
        except orjson.JSONDecodeError:
            return None
        said = parsed.get("verdict") if isinstance(parsed, dict) else None
    return _VERDICTS.get(said.strip(" \t\n.!*\"'`«»").lower()) if isinstance(said, str) else None

"""The kinds of questions: what each asks a model for, and which passages it fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.synthesis.chunks import fenced_blocks
from pipelines.synthesis.draft import RejectedError, Rejection
from pipelines.synthesis.json_answers import restore_commands
from pipelines.synthesis.passage import Passage, Turns
from pipelines.synthesis.questions.arithmetic import wrong_calculations
from pipelines.synthesis.questions.code_in_text import code_lines

KindName = Literal[
    "factual",
    "why",
    "multi_hop",
    "definition",
    "summary",
    "code_explanation",
    "code_exercise",
    "maths",
    "dialogue",
    "unanswerable",
]
MISSING_FIELD = "missing_field"
"""The reason of an object that lacks what was asked for."""
EMPTY = "empty"
"""The reason of an object that has nothing in a field."""

LONG = 800
"""Characters from which on a passage can hold facts to be joined, or a talk."""
PLENTY = 4
"""Different numbers, years not counted, from which on a passage gives problems to solve."""
_NUMBER = re.compile(r"\d++(?:[.,]\d++)*+")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
WRONG_ARITHMETIC = "wrong_arithmetic"
"""The reason of a solution whose calculations are wrong."""

Schema = dict[str, Any]
_STRING: Schema = {"type": "string", "maxLength": 2_000}
"""A model that has lost itself does not write for ever."""


def _list(items: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote: a conversation, what must not be asked twice, and what must be grounded."""

    turns: Turns
    question: str
    claims: str | None
    quoted: str = ""
    """Code that must stand in the passage line by line."""
    needs_passage: bool = False
    """Whether nobody can answer who does not see the passage."""


def _pair(question: str, answer: str) -> Turns:
    return ({"role": "user", "content": question}, {"role": "assistant", "content": answer})


class _Fields:
    """The fields of an object that a model wrote. Raise RejectedError where they are not there."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self._item = item

    def text(self, name: str) -> str:
        """A text; a number is one too."""
        return self._text(self._item.get(name))

    def texts(self, name: str, least: int) -> list[str]:
        """A list of texts, of at least so many."""
        return [self._text(value) for value in self._values(name, least)]

    def objects(self, name: str, least: int) -> list[_Fields]:
        """A list of objects, of at least so many."""
        values = self._values(name, least)
        if not all(isinstance(value, dict) for value in values):
            raise self._rejected(MISSING_FIELD)
        return [_Fields(value) for value in values]

    def _values(self, name: str, least: int) -> list[Any]:
        values = self._item.get(name)
        if not isinstance(values, list) or len(values) < least:
            raise self._rejected(MISSING_FIELD)
        return values

    def _text(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self._rejected(MISSING_FIELD)
        text = restore_commands(str(value)).strip()
        if not text:
            raise self._rejected(EMPTY)
        return text

    def _rejected(self, reason: str) -> RejectedError:
        return RejectedError(Rejection.of(reason, str(self._item)))


@dataclass(frozen=True)
class Kind:
    """A kind of questions."""

    properties: Mapping[str, Schema]
    """The JSON schemas of the fields of a question, in the order in which they are written."""
    read: Callable[[_Fields], Written]
    fits: Callable[[Passage], bool]
    most: int = 8
    """Questions a call, at most."""
    refuses: bool = False
    """Whether the answer is that there is none."""

    def schema(self, count: int) -> Schema:
        """The JSON schema of an answer with up to so many questions."""
        return _object({"questions": _list(_object(self.properties), 1, count)})

    def written(self, item: Mapping[str, Any]) -> Written:
        """What an object of an answer says. Raises RejectedError where it lacks something."""
        return self.read(_Fields(item))


def _plain(fields: _Fields) -> Written:
    question, answer = fields.text("question"), fields.text("answer")
    return Written(_pair(question, answer), question, answer)


def _explained(fields: _Fields) -> Written:
    """An explanation has other words than the code, so that what must be grounded is the code it is about."""
    question, answer = fields.text("question"), fields.text("answer")
    quoted = "\n".join(fenced_blocks(question))
    return Written(_pair(question, answer), question, None, quoted, needs_passage=not quoted)


def _joined(fields: _Fields) -> Written:
    """The facts that an answer joins must be grounded as it must."""
    facts = fields.texts("facts", 2)
    question, answer = fields.text("question"), fields.text("answer")
    return Written(_pair(question, answer), question, "\n".join([*facts, answer]))


def _solved(fields: _Fields) -> Written:
    """What a problem gives must be grounded; what follows from it is in no passage."""
    question = fields.text("question")
    answer = "\n".join([*fields.texts("steps", 1), fields.text("result")])
    if wrong_calculations(answer):
        raise RejectedError(Rejection.of(WRONG_ARITHMETIC, answer))
    return Written(_pair(question, answer), question, question)


def _programmed(fields: _Fields) -> Written:
    """New code is in no passage, so nothing of it must be grounded."""
    task, solution = fields.text("task"), fields.text("solution")
    return Written(_pair(task, solution), task, None)


def _talked(fields: _Fields) -> Written:
    turns = [(each.text("question"), each.text("answer")) for each in fields.objects("turns", 2)]
    return Written(
        tuple(turn for pair in turns for turn in _pair(*pair)),
        "\n".join(question for question, _ in turns),
        "\n".join(answer for _, answer in turns),
    )


def _refused(fields: _Fields) -> Written:
    question, answer = fields.text("question"), fields.text("answer")
    return Written(_pair(question, answer), question, None, needs_passage=True)


def _is_prose(passage: Passage) -> bool:
    return not code_lines(passage.text).are_most


def _is_long(passage: Passage) -> bool:
    return len(passage.text) >= LONG


def _has_code(passage: Passage) -> bool:
    return code_lines(passage.text).are_some


def _has_numbers(passage: Passage) -> bool:
    numbers = {number for number in _NUMBER.findall(passage.text) if not _YEAR.fullmatch(number)}
    return len(numbers) >= PLENTY


_PAIR = {"question": _STRING, "answer": _STRING}
_STEPS = {"question": _STRING, "steps": _list(_STRING, 1, 12), "result": _STRING}

KINDS: Mapping[KindName, Kind] = {
    "factual": Kind(_PAIR, _plain, _is_prose),
    "why": Kind(_PAIR, _plain, lambda passage: True),
    "multi_hop": Kind(
        {"facts": _list(_STRING, 2, 4), **_PAIR},
        _joined,
        lambda passage: _is_long(passage) and _is_prose(passage),
        most=4,
    ),
    "definition": Kind(_PAIR, _plain, _is_prose),
    "summary": Kind(_PAIR, _plain, lambda passage: _is_long(passage) and _is_prose(passage), most=2),
    "code_explanation": Kind(_PAIR, _explained, _has_code),
    "code_exercise": Kind({"task": _STRING, "solution": _STRING}, _programmed, _has_code, most=2),
    "maths": Kind(_STEPS, _solved, lambda passage: _has_numbers(passage) and _is_prose(passage), most=4),
    "dialogue": Kind({"turns": _list(_object(_PAIR), 2, 6)}, _talked, _is_long, most=2),
    "unanswerable": Kind(_PAIR, _refused, _is_prose, refuses=True),
}

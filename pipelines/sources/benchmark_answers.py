"""The right answer of a benchmark's item: a choice by its number, letter or text, or words with a result."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pipelines.sources.benchmark_fields import Choices, as_text, usable_id

LABEL_CHARACTERS = 200
"""A longer result is not used as a label."""

_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_NUMBER = re.compile(r"[0-9]{1,4}")


class Answer(NamedTuple):
    """What is right, and how it is known."""

    text: str | None
    label: str | None
    number: int | None = None
    """The right choice by a number of which only the other records can tell whether it counts from 0 or 1."""


def answer_of(answer: Any, label: Any, choices: Choices | None, solution: str | None) -> Answer:
    """The answer of a record: of a choice its text and letter, else the words and what they come to."""
    if choices is None:
        text = as_text(answer)
        said = usable_id(label) or result_of(text) or result_of(solution)
        return Answer(text, said)
    if choices.right is not None:
        return _chosen(choices, choices.right)
    values = [_single(value) for value in (label, answer)]
    for value in values:
        if isinstance(value, str) and (place := _place(value.strip(), choices)) is not None:
            return _chosen(choices, place)
    number = next((number for value in values if (number := _as_number(value)) is not None), None)
    return Answer(as_text(answer), usable_id(values[0]), number)


def letter(place: int) -> str:
    """What the choice with this number, from 0, is usually called."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def _chosen(choices: Choices, place: int) -> Answer:
    return Answer(choices.texts[place], choices.names[place] if choices.names else letter(place))


def _single(value: Any) -> Any:
    """The first of several right ones."""
    return value[0] if isinstance(value, list) and value else value


def _place(value: str, choices: Choices) -> int | None:
    """The number, from 0, of the choice that is called or reads so, or has the letter."""
    if choices.names and value in choices.names:
        return choices.names.index(value)
    if value in choices.texts:
        return choices.texts.index(value)
    if match := _LETTER.fullmatch(value):
        place = ord(match[1].upper()) - ord("A")
        return place if place < len(choices.texts) else None
    return None


def _as_number(value: Any) -> int | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():  # as a column with gaps holds integers
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 10_000 else None


def result_of(text: str | None) -> str | None:
    r"""What an answer comes to: behind its last `####`, as GSM8K writes it, or in its last `\boxed{}`."""
    if text is None:
        return None
    behind = text[mark + 4 :].strip() if (mark := text.rfind("####")) >= 0 else ""
    found = behind if behind and "\n" not in behind else _boxed(text)
    return found if found and len(found) <= LABEL_CHARACTERS else None


def _boxed(text: str) -> str | None:
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    start += len(r"\boxed{")
    depth = 1
    for place in range(start, min(len(text), start + 2 * LABEL_CHARACTERS)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place].strip()
    return None

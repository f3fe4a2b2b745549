"""The texts of a benchmark's items: those that passages are compared with, and the one that a judge reads."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.stages.contamination.passages import Numbers

VERSION = 1
"""To be raised when the same items give other texts."""
LONG = 64
"""Words of a question from which on what it asks gets a vector of its own.

What comes before is mostly a text that the question is about. A document that asks the same without this
text is nowhere near the whole: of 193 questions of MMLU in other words, all-MiniLM-L6-v2 finds the right
item first for 38 % by whole questions, for 97 % by what they ask.
"""
ASKED = 8
"""Words that what is asked has at least; where the last sentence has fewer, those before it count too."""

_BORDER = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


class Views(NamedTuple):
    """The texts that items are compared by, those of an item in a row."""

    item: Numbers
    text: list[str]


def item_views(items: pa.Table) -> Views:
    """What passages are compared with: question, question with answer, and the same of what is asked alone.

    An item without a question is its passage or its solution.
    """
    numbers: list[int] = []
    texts: list[str] = []
    for number, item in enumerate(items.to_pylist()):
        views = _views(item)
        numbers += [number] * len(views)
        texts += views
    return Views(np.array(numbers, np.int64), texts)


def _views(item: dict[str, Any]) -> list[str]:
    question, answer = item["question"] or "", _joined(item["answer"], item["solution"])
    if not question.strip():
        return [text for text in (item["passage"], item["solution"]) if text and text.strip()]
    questions = [question]
    if len(question.split()) > LONG:
        questions.append(_asked(question))
    views = [view for each in questions for view in (each, _joined(each, answer))]
    return list(dict.fromkeys(views))


def _asked(question: str) -> str:
    """The last sentences."""
    sentences = [sentence for sentence in _BORDER.split(question) if sentence and sentence.strip()]
    last = len(sentences) - 1
    while last > 0 and len(" ".join(sentences[last:]).split()) < ASKED:
        last -= 1
    return " ".join(sentences[last:])


def judged_texts(items: pa.Table) -> list[str]:
    """Each item as a judge reads it: all that it has, with the names of the parts."""
    return [
        _joined(*(f"{name.capitalize()}: {_shown(item[name])}" for name in _PARTS if item[name]))
        for item in items.to_pylist()
    ]


_PARTS = ("passage", "question", "choices", "answer", "solution")


def _shown(part: str | list[str]) -> str:
    return part if isinstance(part, str) else "; ".join(part)


def _joined(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part and part.strip())

"""Copied prompts: instructions that come back, marks of templates and roles, and words before the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipelines.synthesis.checks.prose import without_code
from pipelines.synthesis.checks.words import words
from pipelines.synthesis.draft import Rejection

_RUN = 8
"""Words of an instruction in a row that do not come back by chance."""
_MARKS = re.compile(
    r"""
    <\|[a-z_]{2,30}\|> | \[/?INST\] | <</?SYS>> | <(?:start|end)_of_turn> | </?s>
    | </?(?:passage|document|context|text|question|answer|instructions?|examples?|output|input|response
      |think|user|assistant|system)>
    | \{\{[^{}\n]{0,80}\}\} | \{%[^{}\n]{0,80}%\}
    | ^\#{2,4}\ *(?:instructions?|response|input|output|human|assistant|system|user|passage|инструкция
      |ответ\ ассистента)\s*:?\s*$
    | ^(?:===|---)\ ?(?:begin|end|passage|document|text)\b[^\n]{0,40}(?:===|---)$
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_LEAKED = re.compile(r"(?:[.!?)»\"”*]|^)(?:assistant|user|model)[ \t]*$", re.MULTILINE)
"""A role at the end of a sentence, where the marks around it were taken for special tokens and dropped."""
_ROLES = re.compile(
    r"""
    ^\W{0,4}(?:user|assistant|human|system|ai|chatbot|пользователь|ассистент|помощник|система
      |человек)\W{0,3}:
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(
    r"\W{0,4}(?:question|answer|response|q|a|вопрос|ответ|passage|отрывок|text|текст)(?:\s?\d{1,2})?\W{0,3}:",
    re.IGNORECASE,
)
_TRANSLATION = re.compile(
    r"\W{0,4}(?:[^\n.:]{0,60}\b)?(?:translat(?:ion|ed)|перевод|перев[её]л)\w{0,3}\b[^\n.:]{0,80}:",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"""
    \W{0,4}(?:(?:sure|certainly|of\ course|absolutely|okay|great|конечно|хорошо|разумеется)\W{1,3}\s*)?
    (?:(?:here|below)\ (?:is|are)|here['’]s|вот|ниже)\s
    [^\n.:]{0,80}
    \b(?:questions?|answers?|passage|text|version|translation|rewrit\w+|rephras\w+|paraphras\w+|summary
      |response|output|json|conversation|dialogue
      |tutorial|article|rewrite|faq|table|problem|вопрос\w*|ответ\w*|текст\w*|вариант\w*|перевод\w*
        |верси\w+|отрыв\w+|пересказ\w*|диалог\w*|стать\w+|задач\w+)\b
    [^\n.:]{0,120}:
    """,
    re.VERBOSE | re.IGNORECASE,
)


def copied_fault(
    text: str, instructions: Sequence[str], passage: str, *, turn: bool, about: bool
) -> Rejection | None:
    """`copied_prompt` where a text holds what the prompt said to the model, or what servers put around it.

    Args:
        text: A text, or a turn of a conversation.
        instructions: The prompt's own lines.
        passage: What it is about; what stands there may stand in the text.
        turn: Whether it is a turn of a conversation, which no role or label begins.
        about: Whether it was made about the passage and is not the passage itself in another language, which
            may begin as the passage does.
    """
    plain = without_code(text)
    found = next(_unknown(_MARKS, plain, passage), None)
    if found is None and turn:
        found = next(_unknown(_ROLES, plain, passage), None) or _LEAKED.search(plain)
    if found is None and turn and about:
        found = _LABEL.match(plain)
    if found is None:
        found = (_LEAD_IN if about else _TRANSLATION).match(plain)
    if found is not None:
        return Rejection.of("copied_prompt", plain[max(0, found.start() - 60) :])
    if instructions and _runs(plain) & set().union(*map(_runs, instructions)) - _runs(passage):
        return Rejection.of("copied_prompt", text)
    return None


def _unknown(marks: re.Pattern[str], text: str, passage: str) -> Iterator[re.Match[str]]:
    """The marks of a text that its passage does not have."""
    return (mark for mark in marks.finditer(text) if mark[0] not in passage)


def _runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + _RUN]) for at in range(len(found) - _RUN + 1)}

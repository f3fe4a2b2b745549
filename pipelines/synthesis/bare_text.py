"""A text without what a model says around it."""

from __future__ import annotations

import re

_LEAD_IN = re.compile(
    r"""
    (?: (?: sure | certainly | of\ course | okay | ok | конечно | хорошо ) (?: [!.] (?=\s) | ,\ ) [ ]? )?+
    (?: (?: here(?: ['’]s | \ is | \ are ) | below\ is | вот | ниже ) \b [^\n]{0,150} : )?+
    \**[ \t]*\n \s* (?: ---+\s*\n\s* )?
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = re.compile(
    r"(?:i hope (?:this|that|it)\b|let me know\b|feel free to\b|надеюсь,? (?:это|что)\b|дай(?:те)? знать\b"
    r"|если (?:вам |тебе )?(?:нужно|потребуется|хотите|хочешь)\b)[^\n]{0,200}",
    re.IGNORECASE,
)
_WRAPPED = re.compile(r"(```+|~~~+)(?:markdown|md|text|txt)?[ \t]*\n(.*)\n\1[ \t]*", re.DOTALL)


def bare_text(answer: str) -> str:
    """The text in an answer, without a lead-in, a closing remark and a fence around it.

    A lead-in such as `Sure! Here is the text:` is a line of its own, and so is a remark.
    """
    text = answer.strip()
    if lead_in := _LEAD_IN.match(text):
        text = text[lead_in.end() :]
    body, _, last = text.rpartition("\n")
    if body.strip() and _CLOSING.fullmatch(last.strip()):
        text = body.rstrip().removesuffix("---").rstrip()
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped and wrapped[1] not in wrapped[2]:
        text = wrapped[2].strip()
    return text

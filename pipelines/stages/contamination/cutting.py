"""Cutting spans out of a text, from one border of sentences or lines to another."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ENDS = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*(?=\s|$)|\n")
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n(?:[^\S\n]*\n)+")

Span = tuple[int, int]
"""First character, and the one behind the last."""


def without_spans(text: str, spans: Iterable[Span]) -> str:
    """The text without the sentences in which these spans lie; rows of blank lines become one."""
    kept = []
    at = 0
    for start, end in _merged(_whole_sentences(text, span) for span in spans):
        kept.append(text[at:start])
        at = end
    kept.append(text[at:])
    return _BLANK_LINES.sub("\n\n", "".join(kept)).strip() if len(kept) > 1 else text


def _whole_sentences(text: str, span: Span) -> Span:
    """From the end of the sentence before the span to the end of its last one."""
    start, end = span
    before = 0
    for mark in _ENDS.finditer(text, 0, start):
        before = mark.end()
    # The span may end with the very mark of the sentence's end.
    behind = _ENDS.search(text, max(start, end - 1))
    return before, behind.end() if behind else len(text)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged

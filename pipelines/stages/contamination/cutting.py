"""Cutting spans out of a text, from one border of sentences or lines to another."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise, zip_longest

_ENDS = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s|\Z)|[。！？]+[”’」』）]*|\n")

Span = tuple[int, int]
"""First character, and the one behind the last."""


def without_spans(text: str, spans: Iterable[Span]) -> str:
    """The text without the sentences in which these spans lie.

    All others stay as they are; those around a cut are as far apart as the wider of the gaps at its ends.
    """
    borders = [0, *(mark.end() for mark in _ENDS.finditer(text)), len(text)]
    pieces = []
    at = 0
    for start, end in _merged(_whole_sentences(borders, span) for span in spans):
        cut = text[start:end]
        pieces.append(text[at : end - len(cut.lstrip())])
        at = start + len(cut.rstrip())
    return _joined([*pieces, text[at:]]) if pieces else text


def _whole_sentences(borders: Sequence[int], span: Span) -> Span:
    """From the last border before the span to the first behind it."""
    start, end = span
    return borders[bisect_right(borders, start) - 1], borders[bisect_left(borders, end)]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _joined(pieces: Iterable[str]) -> str:
    kept = [piece for piece in pieces if piece.strip()]
    gaps = [_gap(before[len(before.rstrip()) :], behind) for before, behind in pairwise(kept)]
    return "".join(chain.from_iterable(zip_longest(map(str.strip, kept), gaps, fillvalue="")))


def _gap(left: str, behind: str) -> str:
    """The wider of two gaps, with the indentation of the line behind it."""
    right = behind[: len(behind) - len(behind.lstrip())]
    lines = max(left.count("\n"), right.count("\n"))
    if lines == 0:
        return max(left, right, key=len)
    return "\n" * lines + (right if "\n" in right else left).rpartition("\n")[2]

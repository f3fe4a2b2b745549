"""Long texts in pieces that are cut where a reader would pause."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

_FENCE = re.compile(r"[ \t]*+(?:(?P<ticks>`{3,}+)[^`]*+|(?P<tildes>~{3,}+).*+)")
_SENTENCE_END = re.compile(r"""(?<=[.!?…])["'»”’)\]]*+\s++|[。！？][」』”]*+""")
_SPACE = re.compile(r"\s++")


def chunk_spans(text: str, longest: int) -> list[tuple[int, int]]:
    """Where the pieces of a text begin and end: one after another, the whole text, none empty.

    A piece ends after a blank line where there is one, else after a line, a sentence or a space, and only
    in want of these within a word. Fenced code blocks (CommonMark 4.5, at any indentation) stay whole where
    they are no longer than a piece. No piece but one before such a block is under a tenth of `longest`
    where this can be avoided. Takes time linear in the text.

    Args:
        text: What is cut.
        longest: Characters of a piece, at most; 1 or more.
    """
    if longest < 1:
        raise ValueError("a piece has a character at least")
    breaks = _Breaks(text)
    spans = []
    start = 0
    while len(text) - start > longest:
        end = breaks.best(start, longest)
        spans.append((start, end))
        start = end
    return [*spans, (start, len(text))] if text else []


class _Window(NamedTuple):
    """Where a cut may be: after `low`, up to `high`."""

    low: int
    high: int


class _Breaks:
    """The places where a text can be cut."""

    def __init__(self, text: str) -> None:
        self._text = text
        lines = text.splitlines(keepends=True)
        ends = list(accumulate(map(len, lines)))
        fenced = _fenced(lines)
        self._fenced = [False, *fenced]
        self._ends = [0, *ends]
        ...

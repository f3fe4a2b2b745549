"""Long texts in pieces that are cut where a reader would pause."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

VERSION = 1
"""To be raised when texts are cut elsewhere."""

_FENCE = re.compile(r"(`{3,}+)[^`]*+|(~{3,}+).*+", re.DOTALL)
_SENTENCE_END = re.compile(r"""(?<=[.!?…])["'»”’)\]]*+\s++|[。！？][」』”]*+""")
_SPACE = re.compile(r"\s++")


def chunk_spans(text: str, longest: int) -> list[tuple[int, int]]:
    """Where the pieces of a text begin and end: one after another, the whole text, none empty.

    A piece ends after a blank line where there is one, else after a line, a sentence or a space, and only
    in want of these within a word. Fenced code blocks stay whole where they are no longer than a piece.
    Pieces and tails under a tenth of `longest` are avoided, except beside such a block. Takes time linear in
    the text.

    Args:
        text: What is cut.
        longest: Characters of a piece, at most; 1 or more.
    """
    if longest < 1:
        raise ValueError("a piece has at least one character")
    breaks = _Breaks(text)
    spans = []
    start = 0
    while len(text) - start > longest:
        end = breaks.best(start, longest)
        spans.append((start, end))
        start = end
    return [*spans, (start, len(text))] if text else []


class _Breaks:
    """The places where a text can be cut."""

    def __init__(self, text: str) -> None:
        self._text = text
        lines = text.splitlines(keepends=True)
        self._ends = list(accumulate(map(len, lines)))
        self._inside = list(inside_fence(lines))
        kinds = list(zip(self._ends, self._inside, (not line.strip() for line in lines), strict=True))
        self._lines = [end for end, inside, _ in kinds if not inside]
        self._paragraphs = [end for end, inside, blank in kinds if blank and not inside]
        self._code_lines = [end for end, inside, _ in kinds if inside]
        self._code_paragraphs = [end for end, inside, blank in kinds if blank and inside]

    def best(self, start: int, longest: int) -> int:
        """The end of the piece that starts at a place, where more than a piece is left."""
        tiny = longest // 10
        low, high = start + tiny, min(start + longest, len(self._text) - tiny)
        return (
            _last(self._paragraphs, low, high)
            or _last(self._lines, low, high)
            or self._last_in_prose(_SENTENCE_END, low, high)
            or self._last_in_prose(_SPACE, low, high)
            or _last(self._lines, start, start + longest)
            or _last(self._code_paragraphs, low, high)
            or _last(self._code_lines, low, high)
            or high
        )

    def _last_in_prose(self, pattern: re.Pattern[str], low: int, high: int) -> int:
        """Where the last match in a window ends that is not in a line of code; 0 where there is none."""
        ends = (match.end() for match in pattern.finditer(self._text, low, high))
        return max((end for end in ends if end > low and not self._in_code(end)), default=0)

    def _in_code(self, place: int) -> bool:
        line = bisect_right(self._ends, place)
        return self._inside[line] or (line > 0 and self._inside[line - 1])


def _last(places: Sequence[int], low: int, high: int) -> int:
    """The last of sorted places after `low` and up to `high`; 0 where there is none."""
    index = bisect_right(places, high)
    return places[index - 1] if index and places[index - 1] > low else 0


def inside_fence(lines: Iterable[str]) -> Iterator[bool]:
    """Of each line, whether its end is within a fenced code block (CommonMark 4.5, at any indentation)."""
    fence = ""
    for line in lines:
        stripped = line.strip()
        if fence:
            closes = len(stripped) >= len(fence) and not stripped.strip(fence[0])
            fence = "" if closes else fence
        elif opening := _FENCE.fullmatch(stripped):
            fence = opening[1] or opening[2]
        yield bool(fence)


def fenced_blocks(text: str) -> list[str]:
    """The code in the fenced blocks of a text, without the fences; of an unclosed one, all that follows."""
    blocks: list[list[str]] = []
    lines = text.splitlines(keepends=True)
    was_inside = False
    for line, inside in zip(lines, inside_fence(lines), strict=True):
        if inside and was_inside:
            blocks[-1].append(line)
        elif inside:
            blocks.append([])
        was_inside = inside
    return ["".join(block) for block in blocks]

"""Two texts side by side: what differs around their first difference, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

MOST = 2_000
"""Characters of each text that are compared."""
MOST_WORDS = 400
"""Comparing takes time with the square of them, and with the cube in texts made to be slow."""
BEFORE = 300
"""Characters shown before the first difference."""
WORD = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
    r"|(?:(?![\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])\w)+\s*|[^\w\s]+\s*|\s+"
)
"""A word or marks with the blanks after them; of scripts without blanks a character."""
CUT = "…"


class Piece(NamedTuple):
    """A piece of a text."""

    text: str
    same: bool
    """Whether the other text has it too."""


def differences(first: str, second: str) -> tuple[list[Piece], list[Piece]]:
    """The pieces of both texts, from shortly before their first difference on."""
    begin = _begin(first, second)
    words = [_words(text, begin) for text in (first, second)]
    is_cut = [
        begin + sum(map(len, some)) < len(text) for some, text in zip(words, (first, second), strict=True)
    ]
    matched = SequenceMatcher(None, words[0], words[1], autojunk=False).get_opcodes()
    ending = matched[-1][0] if matched else ""
    if (ending == "insert" and is_cut[0]) or (ending == "delete" and is_cut[1]):
        matched.pop()  # what it would match in the other text is beyond the end
        is_cut = [True, True]
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for kind, *bounds in matched:
        for side, shown, (start, stop) in zip(sides, words, (bounds[:2], bounds[2:]), strict=True):
            if start < stop:
                side.append(Piece("".join(shown[start:stop]), kind == "equal"))
    for side, cut in zip(sides, is_cut, strict=True):
        side[:0] = [Piece(CUT, same=True)] if begin else []
        side += [Piece(CUT, same=True)] if cut else []
    return sides


def _words(text: str, begin: int) -> list[str]:
    """The words from there on; the last is whole, unless it is very long."""
    words = WORD.findall(text, begin, begin + MOST + 1)
    if sum(map(len, words)) > MOST and len(words[-1]) < BEFORE:
        words.pop()
    return words[:MOST_WORDS]


def _begin(first: str, second: str) -> int:
    """Where to begin: before the first difference, at a word if one is near; at the start of equal texts."""
    same = _common(first, second)
    if same <= BEFORE or first == second:
        return 0
    begin = same - BEFORE
    return max(first.rfind(" ", 0, begin) + 1, begin - BEFORE // 2)


def _common(first: str, second: str) -> int:
    """How many characters both texts begin with."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low

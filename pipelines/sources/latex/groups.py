"""Where the arguments of LaTeX commands begin and end."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_OPTION = 5_000
"""Characters between brackets; a bracket that does not close so soon opens nothing."""

SPACE = re.compile(r"[ \t]*\n?[ \t]*")
_OF_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_OF_BRACKETS = re.compile(r"\\.|[{}\]]", re.DOTALL)
_TOKEN = re.compile(r"\\(?:[A-Za-z@]+|.)|[^\s{}\\]", re.DOTALL)


def group_end(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at `start`; None if none does."""
    return _ends(text).get(start)


@lru_cache(maxsize=32)
def _ends(text: str) -> dict[int, int]:
    """Where each group of a text ends, by its beginning: found once, however often it is asked for."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for match in _OF_BRACES.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            ends[opened.pop()] = match.end()
    return ends


def argument(text: str, position: int) -> tuple[str, int] | None:
    """The group, or else the token, behind `position`, and where it ends; None if there is none."""
    position = SPACE.match(text, position).end()  # type: ignore[union-attr]
    if text[position : position + 1] == "{":
        end = group_end(text, position)
        return None if end is None else (text[position + 1 : end - 1], end)
    token = _TOKEN.match(text, position)
    return (token[0], token.end()) if token else None


def option(text: str, position: int) -> tuple[str, int] | None:
    """What stands in brackets behind `position`, and where it ends; None if nothing does."""
    begin = SPACE.match(text, position).end()  # type: ignore[union-attr]
    if text[begin : begin + 1] != "[":
        return None
    depth = 0
    for match in _OF_BRACKETS.finditer(text, begin + 1, begin + MAX_OPTION):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth < 0:
            return None
        if match[0] == "]" and depth == 0:
            return text[begin + 1 : match.start()], match.end()
    return None


def arguments(text: str, position: int, number: int) -> tuple[list[str], int]:
    """Up to `number` groups behind `position`, and where they end."""
    found: list[str] = []
    for _ in range(number):
        if SPACE.match(text, position) and (each := argument(text, position)) is not None:
            found.append(each[0])
            position = each[1]
    return found, position

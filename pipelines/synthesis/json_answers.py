"""The JSON objects in a model's answer, whatever stands around them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

DEEPEST = 100
"""Objects and lists within one another, at most: no answer needs more, and `json` gives up soon after."""

_TOKEN = re.compile(
    r"""[ \t\n\r]*+ (?:
        (?P<mark> [{}\[\],:] )
      | (?P<string> " (?> [^"\\]++ | \\. )*+ " )
      | (?P<scalar> -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)? | true | false | null )
    )""",
    re.DOTALL | re.VERBOSE,
)
_FOLLOWS = {
    "{": {"string", "}"},
    "[": {"{", "[", "string", "scalar", "]"},
    "key": {":"},
    ":": {"{", "[", "string", "scalar"},
    "value": {",", "}", "]"},
    ", in {": {"string"},
    ", in [": {"{", "[", "string", "scalar"},
}
"""What JSON's grammar allows after what."""
_CLOSES = {"}": "{", "]": "["}
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_LOST_BACKSLASH = re.compile(r"[\b\f](?=[a-z])|\t(?=imes|ext|heta|frac)|\r(?=ho\b|ight)|\n(?=eq\b|abla)")
_LETTERS = {"\b": "b", "\f": "f", "\t": "t", "\r": "r", "\n": "n"}


def parse_objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, none of them inside another.

    Fences, prose and lists around them are passed over. Of an object that is cut short or broken, the whole
    ones inside it are found. A backslash that begins no escape of JSON, as in LaTeX, stands for itself, and
    halves of characters, which UTF-8 cannot write, become question marks. Takes time linear in the text.
    """
    return [value for start, end in _spans(text) if (value := _value(text[start:end])) is not None]


def restore_commands(text: str) -> str:
    r"""The text of a string with the commands of LaTeX whose single backslash JSON took for an escape.

    `"\frac"` without a second backslash is read as a form feed and `rac`.
    """
    return _LOST_BACKSLASH.sub(lambda found: f"\\{_LETTERS[found[0]]}", text)


def _value(text: str) -> dict[str, Any] | None:
    for written in (text, _ESCAPE.sub(lambda found: found[0] if len(found[0]) > 1 else r"\\", text)):
        try:
            value = json.loads(written, strict=False)
        except ValueError:
            continue
        writable = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        return dict(json.loads(writable))
    return None


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where objects begin and end."""
    at = text.find("{")
    while at >= 0:
        found, end = _scan(text, at)
        yield from found
        at = text.find("{", end)


def _scan(text: str, start: int) -> tuple[list[tuple[int, int]], int]:
    """The object that begins at a brace, or else the whole ones inside it; and where to look for the next."""
    whole: list[tuple[int, int]] = []
    opened = [("{", start)]
    after, at, resume = "{", start + 1, start + 1
    while opened:
        token = _TOKEN.match(text, at)
        kind = (token["mark"] or token.lastgroup or "") if token else ""
        if not token or kind not in _FOLLOWS[after]:
            return whole, resume
        begin, at = token.start(token.lastgroup or 0), token.end()
        resume = begin + 1 if kind == "string" else at
        container = opened[-1][0]
        if kind in ("{", "["):
            if len(opened) == DEEPEST:
                return whole, begin
            opened.append((kind, begin))
            after = kind
        elif kind in _CLOSES:
            if container != _CLOSES[kind]:
                return whole, resume
            _, opening = opened.pop()
            if container == "{":
                while whole and whole[-1][0] > opening:
                    whole.pop()
                whole.append((opening, at))
            after = "value"
        elif kind == ",":
            after = f", in {container}"
        elif kind == "string" and container == "{" and after != ":":
            after = "key"
        else:
            after = ":" if kind == ":" else "value"
    return whole, at

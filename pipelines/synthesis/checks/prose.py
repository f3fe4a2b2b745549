"""The prose of a text: what is left without code, formulas and addresses, which have no language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.synthesis.chunks import inside_fence

_INLINE_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)[^`\n]{1,400}\1(?!`)")
_SPANS = re.compile(
    r"""
      \$\$[^$]{1,2000}\$\$
    | \$(?=\S)[^$\n]{0,200}[\\^_={}<>+][^$\n]{0,200}\$  # $x^2$, but not $5 and $6
    | \\\( (?: [^\\\n] | \\(?!\() )*? \\\)
    | \\\[ (?: [^\\] | \\(?!\[) )*? \\\]
    | \\begin\{(?P<name>\w{1,20}\*?)\} (?: [^\\] | \\(?!begin) )*? \\end\{(?P=name)\}
    | \b(?:https?|ftp)://[^\s<>"')\]]{1,2000}
    | \bwww\.[^\s<>"')\]]{1,2000}
    | [\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}
    | </?[a-zA-Z][^<>\n]{0,200}>
    """,
    re.VERBOSE | re.DOTALL,
)
_JSON = re.compile(r"\s*[\[{]\s*[\[{]?\s*\"")
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)(?:\"|$)(\s{0,3}:)?")
_GAP = " \u2026 "
"""Stands where a span was, so that its neighbours do not become one phrase."""


def prose(text: str) -> str:
    """The text without code blocks (an unclosed one goes to the end), inline code, formulas and addresses.

    Of JSON, in a code block or by itself, the strings stay that are no keys.
    """
    return _SPANS.sub(_GAP, without_code(text))


def without_code(text: str) -> str:
    """The text without code blocks and inline code; see `prose`."""
    if "```" in text or "~~~" in text:
        text = "\n".join(_outside_fences(text.split("\n")))
    elif _JSON.match(text):
        text = _strings(text)
    return _INLINE_CODE.sub(_GAP, text) if "`" in text else text


def _outside_fences(lines: list[str]) -> Iterator[str]:
    inside, block = list(inside_fence(lines)), list[str]()
    for line, was_inside, is_inside in zip(lines, [False, *inside], inside, strict=False):
        if was_inside and is_inside:
            block.append(line)
        elif was_inside:
            yield _strings_of_json(block)
            block = []
        elif not is_inside:
            yield line
    yield _strings_of_json(block)


def _strings_of_json(lines: list[str]) -> str:
    block = "\n".join(lines)
    return _strings(block) if _JSON.match(block) else ""


def _strings(json: str) -> str:
    return "\n".join(found[1] for found in _STRING.finditer(json) if not found[2])

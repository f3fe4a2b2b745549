"""The prose of a text: what is left without code, formulas and addresses, which have no language."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})")
_SPANS = re.compile(
    r"""
    (?<!`)(?P<ticks>`{1,2})(?!`)[^`\n]{1,400}(?P=ticks)(?!`)  # `inline code`
    | \$\$[^$]{1,2000}\$\$
    | \$(?=\S)[^$\n]{0,200}[\\^_={}<>+][^$\n]{0,200}\$  # $x^2$, but not $5 and $6
    | \\\( [^\n]{1,400}? \\\)
    | \\\[ .{1,2000}? \\\]
    | \\begin\{(?P<name>\w{1,20}\*?)\} .{0,4000}? \\end\{(?P=name)\}
    | \b(?:https?|ftp)://[^\s<>"')\]]{1,2000}
    | \bwww\.[^\s<>"')\]]{1,2000}
    | [\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}
    | </?[a-zA-Z][^<>\n]{0,200}>
    """,
    re.VERBOSE | re.DOTALL,
)
_GAP = " \u2026 "
"""Stands where a span was, so that its neighbours do not become one phrase."""


def prose(text: str) -> str:
    """The text without code blocks (an unclosed one goes to the end), inline code, formulas and addresses."""
    return _SPANS.sub(_GAP, _without_fences(text))


def _without_fences(text: str) -> str:
    if "```" not in text and "~~~" not in text:
        return text
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" \t`~"):
                fence = ""
        elif mark:
            fence = mark[1]
            kept.append("")
        else:
            kept.append(line)
    return "\n".join(kept)

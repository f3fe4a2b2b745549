"""How much of a text is code, told by its lines."""

from __future__ import annotations

import re

from pipelines.synthesis.chunks import inside_fence

SOME = 3
"""Lines of code from which on something can be asked about them."""
_CODE_LINE = re.compile(
    r"""
      (?: (?:async|export|public|private|protected|static|abstract|pub) \s )*+
      (?: def|class|fn|func|function|struct|enum|interface|namespace|const|let|var ) \s \w .{0,200} [(){;:,=]
    | (?: import|from|\#include|using|package ) \s [\w."'<@{] \S{0,100} (?: \s (?:import|from|as) \s .{0,200} )? ;?
    | (?: return|raise|throw|yield ) \s \S{1,100} ;?
    | (?: if|elif|else|for|while|try|except|finally|with|switch|case|do|catch ) \b .{0,200} [:{]
    | [\w.$\[\]'"-]{1,80} \s? (?: [-+*/|&]?= | := | <- ) \s? \S .{0,200}
    | [\w.$]{1,80} \( .{0,200} \) \s? [;:{]?
    | .{0,200} (?: \) | \w ) \s? \{
    | [\[\](){},;]{1,5}
    | (?: // | /\* | \*/ | @\w ) .{0,200}
    """,
    re.VERBOSE,
)
"""Many lines of the C and Python families; prose seldom looks like it, lists that end in `;` never."""


def code_share(text: str) -> float:
    """The share of the lines that are not blank which are code: in fences, or because they look like it."""
    lines = _code_lines(text)
    return sum(lines) / len(lines) if lines else 0.0


def has_code(text: str) -> bool:
    """Whether there are some lines of code."""
    return sum(_code_lines(text)) >= SOME


def _code_lines(text: str) -> list[bool]:
    """Of each line that is not blank, whether it is code."""
    lines = text.splitlines()
    inside = list(inside_fence(lines))
    before = [False, *inside]
    return [
        fenced or was_fenced or bool(_CODE_LINE.fullmatch(line.strip()))
        for line, fenced, was_fenced in zip(lines, inside, before, strict=False)
        if line.strip()
    ]

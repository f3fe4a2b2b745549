"""How much of a text is code, told by its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pipelines.synthesis.chunks import inside_fence

SOME = 3
"""Lines of code from which on something can be asked about them."""
MOST = 0.6
"""The share of lines from which on a text is code."""
_CODE_LINE = re.compile(
    r"""
      (?: (?:async|export|public|private|protected|static|abstract|pub) \s )*+
      (?: def|class|fn|func|function|struct|enum|interface|namespace|const|let|var ) \s \w .{0,200} [(){;:,=]
    | (?: import|from|\#include|using|package ) \s [\w."'<@{] \S{0,100}
      (?: \s (?:import|from|as) \s .{0,200} )? ;?
    | import \s \{ .{0,200} | export \s .{0,200} ;
    | (?: return|raise|throw|yield ) \s (?: \S{1,100} | .{1,200} ; )
    | (?: if|elif|else|for|while|try|except|finally|with|switch|case|do|catch ) \b .{0,200} [:{]
    | [\w.$\[\]'"-]{1,80} \s? (?: [-+*/|&]?= | := | <- ) \s? \S .{0,200}
    | [\w.$]{1,80} \( .{0,200} \) \s? [;:{]?
    | [\[\](){},;]{1,5}
    | (?: // | /\* | \*/ | @\w ) .{0,200}
    | .{0,200}+ (?<= \{ )
    """,
    re.VERBOSE,
)
"""Many lines of the C and Python families; prose seldom looks like it, lists that end in `;` never."""


@dataclass(frozen=True, slots=True)
class CodeLines:
    """How many lines are not blank, and how many of them are code: in fences, or looking like it."""

    code: int
    all: int

    @property
    def are_some(self) -> bool:
        """Whether something can be asked about the code."""
        return self.code >= SOME

    @property
    def are_most(self) -> bool:
        """Whether the text is code, about which no prose can be asked."""
        return self.code >= MOST * self.all


@lru_cache(maxsize=32)
def code_lines(text: str) -> CodeLines:
    """The lines of code in a text."""
    lines = text.splitlines()
    inside = list(inside_fence(lines))
    found = [
        fenced or was_fenced or bool(_CODE_LINE.fullmatch(line.strip()))
        for line, fenced, was_fenced in zip(lines, inside, [False, *inside], strict=False)
        if line.strip()
    ]
    return CodeLines(sum(found), len(found))

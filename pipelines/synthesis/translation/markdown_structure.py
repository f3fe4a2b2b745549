"""The structure of a text: its headings, paragraphs, items of lists and cells of tables, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.synthesis.translation.protected import block_parser

_LINE_END = re.compile(r"\r\n?|\n")
WRAPPED = 50
"""Characters of a line that was broken because it was full, at least."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A heading, paragraph, item or cell; also a row, which has no text of its own."""

    kind: str
    """What it is and what it stands in, such as `ol li p`."""
    text: str

    @property
    def lines(self) -> int:
        """Its lines; 1 where they are broken wherever they are full, which says nothing."""
        lines = self.text.split("\n")
        return 1 if all(len(line) >= WRAPPED for line in lines[:-1]) else len(lines)


def units(text: str) -> list[Unit]:
    """The units of a text, as CommonMark with tables has them."""
    found: list[Unit] = []
    inside: list[str] = []
    lines = _LINE_END.split(text)
    for token in block_parser().parse(text):
        if token.nesting > 0:
            inside.append(token.tag)
            if token.tag == "tr" and token.map:
                found.append(Unit(f"row of {lines[token.map[0]].count('|')}", ""))
        elif token.nesting < 0:
            inside.pop()
        else:
            kind = inside if token.type == "inline" else [*inside, token.type]
            found.append(Unit(" ".join(kind), token.content))
    return found


def same_structure(source: list[Unit], translation: list[Unit]) -> bool:
    """Whether two texts have the same units, with the same lines where line breaks mean something."""
    return len(source) == len(translation) and all(map(_is_like, source, translation))


def _is_like(one: Unit, other: Unit) -> bool:
    same_lines = one.lines in (1, len(other.text.split("\n")))
    return one.kind == other.kind and bool(one.text) == bool(other.text) and same_lines

"""The structure of a text: its headings, paragraphs, items of lists and cells of tables, in order."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.synthesis.protected import block_parser

WRAPPED = 50
"""Characters of a line that was broken because it was full, at least."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A heading, paragraph, item or cell."""

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
    for token in block_parser().parse(text):
        if token.nesting > 0:
            inside.append(token.tag)
        elif token.nesting < 0:
            inside.pop()
        else:
            kind = inside if token.type == "inline" else [*inside, token.type]
            found.append(Unit(" ".join(kind), token.content))
    return found


def same_structure(source: str, translation: str) -> bool:
    """Whether two texts have the same units, with the same lines where line breaks mean something."""
    before, after = units(source), units(translation)
    return len(before) == len(after) and all(
        one.kind == other.kind and (one.lines == 1 or one.lines == len(other.text.split("\n")))
        for one, other in zip(before, after, strict=True)
    )

"""Marks that stand for what a translation must not change, and the proof afterwards that it did not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.synthesis.translation.markdown_structure import Unit
from pipelines.synthesis.translation.protected import CLOSE, OPEN, protected

MARK = re.compile(f"{OPEN}[0-9]+{CLOSE}")
_BRACKET = re.compile(f"[{OPEN}{CLOSE}]")
_ALONE = re.compile(rf"^[^\S\n]*+({MARK.pattern})[^\S\n]*+$", re.MULTILINE)
_UNMISTAKABLE = re.compile(r"[`{}<>\\]|~~~|://|www\.|@.*\.")
"""What no translation brings about by itself."""
_GAP = "\u2026"


@dataclass(frozen=True)
class Masked:
    """A text with a mark such as `⟦12⟧` in place of everything that is protected."""

    text: str
    items: Mapping[str, str]
    """What each mark stands for."""
    blocks: frozenset[str]
    """The marks of whole lines."""

    def restored(self, text: str) -> str:
        """A text with what its marks stand for; marks of blocks alone on their lines take the whole line."""
        lines = _ALONE.sub(lambda found: found[1] if found[1] in self.blocks else found[0], text)
        return MARK.sub(lambda found: self.items.get(found[0], found[0]), lines)

    def has_the_same(self, source: str, translation: str) -> bool:
        """Whether a translation has each mark of a part of the masked text as often, and nothing added.

        Marks of whole lines stand alone on their lines and in their order.
        """
        marks = MARK.findall(source)
        return (
            Counter(marks) == Counter(MARK.findall(translation))
            and len(_BRACKET.findall(translation)) == 2 * len(marks)
            and self._of_lines(source) == self._of_lines(translation)
            and _unmistakable(translation) <= _unmistakable(source)
        )

    def _of_lines(self, text: str) -> list[str]:
        return [mark for mark in _ALONE.findall(text) if mark in self.blocks]


def masked(text: str) -> Masked:
    """The text with marks in place of what is protected."""
    pieces: list[str] = []
    items: dict[str, str] = {}
    blocks: set[str] = set()
    at = 0
    for number, span in enumerate(protected(text), 1):
        mark = f"{OPEN}{number}{CLOSE}"
        pieces += [text[at : span.start], mark]
        items[mark] = text[span.start : span.end]
        if span.is_block:
            blocks.add(mark)
        at = span.end
    return Masked("".join([*pieces, text[at:]]), items, frozenset(blocks))


def same_places(source: list[Unit], translation: list[Unit]) -> bool:
    """Whether each mark stands in the same paragraph, item of a list or cell of a table."""
    return _places(source) == _places(translation)


def without_marks(text: str) -> str:
    """The text with a gap in place of each mark."""
    return MARK.sub(_GAP, text)


def unprotected(text: str) -> str:
    """The text with a gap in place of all that is protected."""
    return without_marks(masked(text).text)


def _places(units: list[Unit]) -> list[list[str]]:
    return [sorted(MARK.findall(unit.text)) for unit in units]


def _unmistakable(text: str) -> int:
    """How many things a text holds, beside marks, that are code, addresses and the like beyond doubt."""
    text = without_marks(text)
    if not _UNMISTAKABLE.search(text):
        return 0
    return sum(bool(_UNMISTAKABLE.search(text, span.start, span.end)) for span in protected(text))

"""Text in which single characters stand for contents that are not known, and what is asked about it.

Whoever works with such text gets the answers that hold for every content, and the conditions that contents
must meet for them are collected. A question that has no such answer is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NoReturn, SupportsIndex

from typing_extensions import override

from tokenizer_tools.template_habits import CLOSE

MOST_CONTENTS = 0x400
_FIRST, _FIRST_TRIMMED, _END = 0xD800, 0xDC00, 0xE000  # halves of surrogate pairs, which no text holds
_UNTRIMMED = {_FIRST_TRIMMED + number: _FIRST + number for number in range(MOST_CONTENTS)}


class Undecided(Exception):  # noqa: N818
    """The answer depends on what messages say, in a way that no condition tells."""


class Question(IntEnum):
    """What is asked about a content and a literal text."""

    CONTAINS = 0
    BEGINS = 1
    ENDS = 2
    EQUALS = 3
    WITHIN = 4
    """Whether the literal contains the content."""


@dataclass(frozen=True, order=True)
class Condition:
    """That the answer is no. Of every content a shape demands besides that it is not empty."""

    content: int
    question: Question
    literal: str


@dataclass
class Trace:
    """What is found while one shape is rendered."""

    conditions: set[Condition] = field(default_factory=set)
    untrimmed: set[int] = field(default_factory=set)
    """Contents used with the white space at their edges. For them the shape holds only if there is none."""
    refused: bool = False

    def refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Note it, as templates may catch the error."""
        self.refused = True
        raise Undecided

    def demand(self, content: str, question: Question, literal: str) -> None:
        """Note a condition on a content."""
        number = number_of(content) if len(content) == 1 else None
        if number is None or any(number_of(character) is not None for character in literal):
            self.refuse()
        self.conditions.add(Condition(number, question, literal))

    def use(self, text: str) -> None:
        """Note the contents that are used untrimmed."""
        self.untrimmed |= {ord(one) - _FIRST for one in text if _FIRST <= ord(one) < _FIRST_TRIMMED}

    def separate(self, one: str, other: str, question: Question) -> None:
        """Demand that two texts differ where their first characters differ; `question` is of a content there."""
        differing = (pair for pair in zip(untrimmed(one), untrimmed(other), strict=False) if pair[0] != pair[1])
        for mine, its in differing:
            content, literal = (mine, its) if number_of(mine) is not None else (its, mine)
            if number_of(content) is not None and not _is_no_text(literal):
                self.demand(content, question, literal)
            return


def content_of(number: int) -> str:
    """The character that stands for a content."""
    return chr(_FIRST + number)


def number_of(character: str) -> int | None:
    """The number of the content that a character stands for, None if it is itself."""
    return (ord(character) - _FIRST) % MOST_CONTENTS if _FIRST <= ord(character) < _END else None


def contents_in(text: str) -> Iterator[int]:
    """The numbers of the contents in a text."""
    return (number for number in map(number_of, text) if number is not None)


def trimmed(content: str) -> str:
    """The character for a content without the white space at its edges."""
    return chr(_FIRST_TRIMMED + (ord(content) - _FIRST) % MOST_CONTENTS)


def untrimmed(text: str) -> str:
    """The text with whole contents. Where conditions hold they are the same as trimmed ones."""
    return text.translate(_UNTRIMMED)


def _is_no_text(character: str) -> bool:
    return "\ufdd0" <= character <= "\ufdef"


_plain = str.__str__


class SymbolicText(str):
    """A rendering. Its positions are those of characters, a content being one."""

    __slots__ = ("_backwards", "_trace")
    _trace: Trace
    _backwards: bool

    def __new__(cls, text: str, trace: Trace, *, backwards: bool = False) -> SymbolicText:  # noqa: D102
        made = super().__new__(cls, untrimmed(text))
        made._trace, made._backwards = trace, backwards
        return made

    def _with(self, text: str) -> SymbolicText:
        return SymbolicText(text, self._trace, backwards=self._backwards)

    @override
    def __getitem__(self, key: SupportsIndex | slice) -> SymbolicText:
        flipped = isinstance(key, slice) and key.step == -1
        text = super().__getitem__(key)
        return SymbolicText(text, self._trace, backwards=self._backwards != flipped)

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return False
        if str.__eq__(self, other):
            return True
        self._trace.separate(_plain(self), _plain(other), Question.ENDS if self._backwards else Question.BEGINS)
        return False

    @override
    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    @override
    def __contains__(self, part: object) -> bool:
        if str.__contains__(self, part):  # type: ignore[arg-type]
            return True
        assert isinstance(part, str)
        if not (len(part) == 1 and _is_no_text(part)):
            self._trace.demand(part, Question.WITHIN, _plain(self))
        return False

    @override
    def startswith(self, prefix: Any, *place: Any) -> bool:
        if str.startswith(self, prefix, *place):
            return True
        self._require_forwards()
        self._trace.separate(_plain(self)[slice(*place, None)], _plain(prefix), Question.BEGINS)
        return False

    @override
    def endswith(self, suffix: Any, *place: Any) -> bool:
        if str.endswith(self, suffix, *place):
            return True
        self._require_forwards()
        self._trace.separate(_plain(self)[::-1], _plain(suffix)[::-1], Question.ENDS)
        return False

    @override
    def removesuffix(self, suffix: str) -> SymbolicText:
        return self[: len(self) - len(suffix)] if suffix and self.endswith(suffix) else self

    @override
    def partition(self, separator: str) -> tuple[SymbolicText, SymbolicText, SymbolicText]:  # type: ignore[override]
        self._require_no_text(separator)
        before, found, after = super().partition(separator)
        return self._with(before), self._with(found), self._with(after)

    @override
    def count(self, part: str, *place: Any) -> int:
        self._require_no_text(part)
        return super().count(part, *place)

    def places_around(self, part: str, first: int, last: int) -> list[int]:
        """Where `part` stands and covers all from `first` to `last`: its control tokens show where."""
        inner = part.find(CLOSE)
        if inner < 0:
            self._trace.refuse()
        inside = part.count(CLOSE)
        ends = [place for place, character in enumerate(self) if character == CLOSE]
        around = [-1, *ends, *[len(self)] * inside]
        found = []
        for number, end in enumerate(ends):
            reaches = around[number] < first and around[number + 1 + inside] >= last
            if reaches and self[: end + 1].endswith(part[: inner + 1]) and self.startswith(part[inner + 1 :], end + 1):
                found.append(end - inner)
        return [place for place in found if place <= first and place + len(part) >= last]

    def require_literal(self) -> None:
        """Refuse where the text holds a content."""
        if any(True for _ in contents_in(self)):
            self._trace.refuse()

    def _require_forwards(self) -> None:
        if self._backwards:
            self._trace.refuse()

    def _require_no_text(self, part: str) -> None:
        if not (len(part) == 1 and _is_no_text(part)):
            self._trace.refuse()

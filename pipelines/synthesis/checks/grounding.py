"""Grounding: the numbers, names and words of an answer stand in the passage that it is about.

Question and answer are looked at together: an answer such as `two` stands in every passage, but the words of
its question do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pipelines.synthesis.checks.numbers import numbers_said, roman_value, without_list_marks, written_numbers
from pipelines.synthesis.checks.prose import without_code
from pipelines.synthesis.checks.words import UNSPACED, content_stems, folded, stem, words
from pipelines.synthesis.draft import Rejection

_FEW_STEMS = 2
"""A question of fewer content stems says too little to be looked up."""
_SENTENCE = 4
"""An answer of so many content stems is a sentence."""
_OTHER_WORDS, _BOTH = 0.5, 0.7
"""Of `Grounding.words`: what of a sentence in other words must stand there, and of question and answer."""
_LONG, _COUNTS = 600, frozenset(map(float, range(11)))
"""A text of more characters counts its own steps and parts: small numbers in it are no claims."""
_NOUNS_ARE_CAPITALISED = {"de", "lb", "als", "bar", "nds"}
_CAPITALISED = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_BEGINS = '.!?…:;\n"“”«»„(（[*_#>|•'
_ROMAN = re.compile("[IVXLC]+")
_SHORT_CYRILLIC = re.compile("[а-я]{3,6}")
_TOO_SHORT = {chr(letter) for letter in range(ord("а"), ord("я") + 1)}
_UNSPACED = re.compile(f"[{UNSPACED}]")
_NO_NAMES = {"i", "i'm", "i've", "i'd", "i'll", "ok", "a"}


def bases(word: str) -> frozenset[str]:
    """What is left of a short folded Cyrillic word without an ending of one or two letters."""
    return frozenset({word[:-1], word[:-2]} - _TOO_SHORT) if _SHORT_CYRILLIC.fullmatch(word) else frozenset()


@dataclass(frozen=True)
class Grounding:
    """How much must stand in the passage."""

    words: float
    """Share of the answer's content stems and numbers: more than this."""
    names: float
    """Share of the answer's names: at least this."""
    question: float
    """Share of the question's content stems: at least this; half of it in scripts without spaces."""


@dataclass(frozen=True)
class _Source:
    """A passage, made ready for looking up."""

    text: str
    folded: str
    stems: frozenset[str]
    initials: str
    """The first letters of its words."""
    short_bases: frozenset[str]
    """The bases of its short Cyrillic words, whose endings are half of them: `Ада`, `Адой`."""

    def count(self, stems: Collection[str]) -> int:
        """How many of the stems stand there, of scripts without spaces also within longer runs."""
        return sum(
            each in self.stems or (bool(_UNSPACED.match(each)) and each in self.folded) for each in stems
        )

    def has_name(self, name: str) -> bool:
        """Whether a name stands there in any form, or its letters begin words that stand in a row."""
        if all(stem(part) in self.stems or self.short_bases & bases(part) for part in words(name)):
            return True
        short = folded(name)
        return name.isupper() and 2 <= len(short) <= 8 and short in self.initials


def grounding_fault(
    claims: str, question: str, passage: str, language: str, bounds: Grounding
) -> Rejection | None:
    """`ungrounded_numbers`, `_names`, `_words` or `_question`, None where all is found.

    Args:
        claims: What must be grounded: an answer.
        question: What it answers, or nothing.
        passage: Where it must stand.
        language: The language of the claims.
        bounds: How much.
    """
    source = _source(passage)
    claimed = without_list_marks(without_code(claims))
    numbers = written_numbers(claimed)
    if missing := _missing_number(numbers, claims, passage, question):
        return Rejection.of("ungrounded_numbers", f"{missing}: {claims}")
    if missing := _missing_names(claimed, source, question, language, bounds.names):
        return Rejection.of("ungrounded_names", f"{missing}: {claims}")
    stems = _worded(content_stems(claimed)) or ({*map(stem, words(claimed))} if not numbers else set())
    topics = _worded(content_stems(question))
    if stems and not _stand_there(stems, topics, len(numbers), source, bounds.words):
        return Rejection.of("ungrounded_words", claims)
    least = bounds.question / 2 if _UNSPACED.search(question) else bounds.question
    if len(topics) >= _FEW_STEMS and source.count(topics) < least * len(topics):
        return Rejection.of("ungrounded_question", f"{question}\n{claims}")
    return None


def _stand_there(stems: set[str], topics: set[str], numbers: int, source: _Source, least: float) -> bool:
    """Whether enough of an answer's stems stand in the passage; its numbers, all of them, do.

    A sentence may say it in other words: of it half as much is enough where seven tenths as much of question
    and answer together stand there. Of sentences of XQuAD that let 2 to 3 in a hundred pass beside another
    paragraph of their article, and none beside another article.
    """
    found, size = source.count(stems) + numbers, len(stems) + numbers
    if found > least * size:
        return True
    both = stems | topics
    of_both, size_of_both = source.count(both) + numbers, len(both) + numbers
    return (
        len(stems) >= _SENTENCE
        and found >= _OTHER_WORDS * least * size
        and of_both > _BOTH * least * size_of_both
    )


@lru_cache(maxsize=8)
def _source(passage: str) -> _Source:
    """A passage is asked about several times in a row."""
    found = words(passage)
    initials = "".join(word[0] for word in found)
    short = frozenset().union(*map(bases, found))
    return _Source(passage, folded(passage), frozenset(map(stem, found)), initials, short)


def _worded(stems: Collection[str]) -> set[str]:
    return {each for each in stems if not each[0].isdigit()}


def _missing_number(
    numbers: list[tuple[str, frozenset[float]]], claims: str, passage: str, question: str
) -> str | None:
    """The first number in digits that neither passage nor question has in any writing."""
    counts = len(claims) > _LONG
    said: frozenset[float] = frozenset()
    for written, values in numbers:
        if _stands_in(written, passage) or _stands_in(written, question):
            continue
        if counts and values <= _COUNTS:
            continue
        said = said or _numbers_said(passage) | numbers_said(question)
        if not values & said:
            return written
    return None


def _stands_in(number: str, text: str) -> bool:
    """Whether a number stands in a text as it is written, and not within a longer one."""
    at = text.find(number)
    while at >= 0:
        end = at + len(number)
        if not text[at - 1 : at].isdigit() and not text[end : end + 1].isdigit():
            return text[end : end + 1] not in ".,:" or not text[end + 1 : end + 2].isdigit()
        at = text.find(number, end)
    return False


_numbers_said = lru_cache(maxsize=8)(numbers_said)


def _missing_names(claims: str, source: _Source, question: str, language: str, least: float) -> str:
    """The names that neither passage nor question has, if they are too many."""
    names = set(_names(claims, only_acronyms=language in _NOUNS_ARE_CAPITALISED))
    asked = frozenset(map(stem, words(question)))
    missing = {
        name
        for name in names
        if not source.has_name(name)
        and not all(stem(part) in asked for part in words(name))
        and not (_ROMAN.fullmatch(name) and roman_value(name) in _numbers_said(source.text))
    }
    return ", ".join(sorted(missing)) if len(names) - len(missing) < least * len(names) else ""


def _names(text: str, only_acronyms: bool) -> Iterator[str]:
    """Capitalised words inside sentences, and words in capitals; none of lines that are titles."""
    for line in text.split("\n"):
        found = list(_CAPITALISED.finditer(line))
        capital = [word for word in found if word[0][0].isupper()]
        if len(capital) >= 3 and 2 * len(capital) > len(found):
            capital = [word for word in capital if word[0].isupper()]
        for word in capital:
            acronym = word[0].isupper() and len(word[0]) > 1
            before = line[: word.start()].rstrip()
            inside = bool(before) and before[-1] not in _BEGINS
            if (acronym or (inside and not only_acronyms)) and word[0].casefold() not in _NO_NAMES:
                yield word[0].removesuffix("'s").removesuffix("’s")

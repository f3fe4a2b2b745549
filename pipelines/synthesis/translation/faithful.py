"""Whether a translation says what its source says, as far as can be seen without knowing either language."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from pipelines.synthesis.translation.glossary import Term, has_translation
from pipelines.synthesis.translation.markdown_structure import Unit, same_structure, units
from pipelines.synthesis.translation.masking import Masked, same_places, without_marks
from pipelines.synthesis.translation.numbers import same_numbers

PROTECTED, STRUCTURE, NUMBERS = "protected_changed", "structure_changed", "numbers_changed"
LENGTH, UNTRANSLATED, ANSWERED = "length_ratio", "untranslated", "answered"
GLOSSARY, ROUND_TRIP = "glossary", "round_trip"

SHORTEST, LONGEST = (0.4, -10), (2.5, 30)
"""How long each unit of a translation is at least and at most: in lengths of its source, and characters."""
DENSE = 3
"""Letters of an alphabet that say as much as a character of Chinese or Japanese."""
PHRASE, MOST_UNTRANSLATED = 4, 0.3
"""Words in a row that nobody leaves by chance, and the share of a text's words in such rows at most."""
_NO_QUESTION_MARK = frozenset("ja th lo km my el hy am".split())
"""Languages whose questions often end with another sign, or none."""
_HAN_OR_KANA = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\W\\d_]+")
_QUESTION = re.compile("[?\uff1f\u061f]")
_CHARACTERS, _RECALL = 6, 2
"""The longest n-grams of chrF, and how much more what is missing counts than what was added."""


@dataclass(frozen=True, slots=True)
class Languages:
    """From which language into which."""

    source: str
    to: str


def fault(
    source: str, translation: str, masked: Masked, languages: Languages, terms: tuple[Term, ...]
) -> str | None:
    """The first reason against a translation of a part of a masked text, or None."""
    if not masked.has_the_same(source, translation):
        return PROTECTED
    structures = units(source), units(translation)
    if not same_structure(*structures):
        return STRUCTURE
    if not same_places(*structures):
        return PROTECTED
    before, after = without_marks(source), without_marks(translation)
    if not same_numbers(before, after, languages.source):
        return NUMBERS
    if not all(map(_is_as_long, *structures)):
        return LENGTH
    if untranslated_share(before, after) > MOST_UNTRANSLATED:
        return UNTRANSLATED
    asks = not {languages.source, languages.to} & _NO_QUESTION_MARK and _QUESTION.search(before)
    if asks and not _QUESTION.search(after):
        return ANSWERED
    return None if all(has_translation(after, term) for term in terms) else GLOSSARY


def untranslated_share(source: str, translation: str) -> float:
    """The share of a text's words that came back in the same phrases; names do not count."""
    words = _WORD.findall(source)
    kept = set(_phrases(_WORD.findall(translation)))
    same: set[int] = set()
    for at, phrase in enumerate(_phrases(words)):
        if phrase in kept and sum(not word[0].isupper() for word in phrase) > 1:
            same.update(range(at, at + PHRASE))
    return len(same) / max(len(words), 1)


def similarity(text: str, again: str) -> float:
    """How much of a text a second version has, from 0 to 1: chrF2 (Popović 2015) without white space."""
    text, again = ("".join(each.casefold().split()) for each in (text, again))
    precisions, recalls = [], []
    for length in range(1, _CHARACTERS + 1):
        one, other = _grams(text, length), _grams(again, length)
        if one and other:
            common = (one & other).total()
            precisions.append(common / other.total())
            recalls.append(common / one.total())
    precision, recall = (sum(each) / max(len(each), 1) for each in (precisions, recalls))
    weighted = _RECALL**2 * precision + recall
    return (1 + _RECALL**2) * precision * recall / weighted if weighted else 0.0


def _is_as_long(source: Unit, translation: Unit) -> bool:
    least, most = (times * _weight(source) + more for times, more in (SHORTEST, LONGEST))
    return least <= _weight(translation) <= most


def _weight(unit: Unit) -> int:
    text = without_marks(unit.text)
    return len(text) + (DENSE - 1) * len(_HAN_OR_KANA.findall(text))


def _phrases(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + PHRASE]) for at in range(len(words) - PHRASE + 1)]


def _grams(text: str, length: int) -> Counter[str]:
    return Counter(text[at : at + length] for at in range(len(text) - length + 1))

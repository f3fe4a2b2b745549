"""Whether a reply gives an accepted answer, is an abstention, or is invented.

A reply is right where the words of an accepted answer stand in it, one after another. Words are compared as
SQuAD's evaluation does (Rajpurkar et al. 2016: small letters, no punctuation, no English articles), for all
scripts: compatibility forms, no accents, `ё` is `е`; dashes and slashes part words, other punctuation and
symbols are left out. A Russian word of four letters or more is compared without its case ending, so that
`в Москве` gives `Москва`; so do forms of different genders (`Юлий`, `Юлия`). In scripts without spaces an
answer may stand anywhere.

Any other reply that is empty, or in which a pattern is found, is an abstention; all others are inventions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache

from pipelines.synthesis.checks.words import UNSPACED, folded

_ARTICLES = {"a", "an", "the"}
_UNSPACED = re.compile(f"[{UNSPACED}]")
_CASE_ENDING = re.compile(
    "(?<=[а-я]{3})(?:иями|иях|иям|ием|ией|ями|ами|ого|его|ому|ему|ыми|ими|ая|яя|ую|юю|ое|ее|ые|ие|ый|ий|ой|ей|ых"
    "|их|ым|им|ом|ем|ам|ям|ах|ях|ою|ею|ия|ии|ию|[аяоеыиуюьй])$"
)
"""Those of Russian nouns and adjectives, but the genitive in -ов and -ев, which surnames end in."""


class Outcome(StrEnum):
    """What a reply is."""

    CORRECT = "correct"
    ABSTAINED = "abstained"
    INVENTED = "invented"


def outcome(reply: str, answers: Iterable[str], abstentions: Sequence[re.Pattern[str]]) -> Outcome:
    """What a reply to a question with these accepted answers is."""
    if gives(reply, answers):
        return Outcome.CORRECT
    said = unicodedata.normalize("NFKC", reply).replace("’", "'").strip()
    abstains = not said or any(pattern.search(said) for pattern in abstentions)
    return Outcome.ABSTAINED if abstains else Outcome.INVENTED


def gives(reply: str, answers: Iterable[str]) -> bool:
    """Whether one of the answers stands in the reply."""
    said = f" {normalised(reply)} "
    return any(
        wanted in said if _UNSPACED.search(wanted) else f" {wanted} " in said
        for wanted in map(normalised, answers)
    )


@lru_cache(maxsize=1 << 16)
def normalised(text: str) -> str:
    """The words of a text as they are compared, with spaces between; of one without any, its characters."""
    text = folded(text)
    words = "".join(map(_compared, text)).split()
    kept = [word for word in words if word not in _ARTICLES] or words
    return " ".join(_CASE_ENDING.sub("", word) for word in kept) or text.strip()


def _compared(character: str) -> str:
    kind = unicodedata.category(character)
    return " " if kind == "Pd" or character == "/" else "" if kind[0] in "PS" else character

"""A glossary: terms and their translations, from YAML (`term: translation`) or two columns (.tsv)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint

_WORD = re.compile(r"\w+")
_HINT = "Write `term: translation` in YAML, or a file .tsv of two columns."
_FIRST_LETTERS = 2
_ENDING = 2
"""Letters that an inflected form may have more than the term."""
_STEM, _SHORT_STEM = 5, 3


@dataclass(frozen=True, slots=True)
class Term:
    """A term and how it is to be translated."""

    term: str
    translation: str


@dataclass(frozen=True)
class Glossary:
    """Terms by what they say."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Glossary:
        """The glossary in a file. Raises UserError where it cannot be read or holds something else."""
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"the glossary cannot be read: {error}", file=str(path), hint=_HINT) from error
        pairs = _from_table(text, path) if path.suffix == ".tsv" else _from_yaml(text, path)
        return cls(tuple(Term(term, translation) for term, translation in pairs.items()))

    @property
    def hash(self) -> str:
        """Names what it says."""
        return fingerprint([[term.term, term.translation] for term in self.terms])

    def within(self, text: str) -> tuple[Term, ...]:
        """The terms that occur in a text, in the order of the glossary."""
        words = _words(text)
        found = {
            term
            for at, word in enumerate(words)
            for term, parts in self._by_first_letters.get(word[:_FIRST_LETTERS], ())
            if len(words) >= at + len(parts) and all(map(_is_form, words[at:], parts))
        }
        return tuple(term for term in self.terms if term in found)

    @cached_property
    def _by_first_letters(self) -> dict[str, list[tuple[Term, list[str]]]]:
        found: dict[str, list[tuple[Term, list[str]]]] = {}
        for term in self.terms:
            parts = _words(term.term)
            found.setdefault(parts[0][:_FIRST_LETTERS], []).append((term, parts))
        return found


def has_translation(text: str, term: Term) -> bool:
    """Whether a text has the translation of a term, in any form: the stems of its words, in any order."""
    if term.translation.casefold() in text.casefold():
        return True
    words = _words(text)
    return all(any(word.startswith(_stem(part)) for word in words) for part in _words(term.translation))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _is_form(word: str, part: str) -> bool:
    """Whether a word is a form of a term's: the last letter of a long one may differ, and endings follow."""
    beginning = part[:-1] if len(part) >= _STEM else part
    return word.startswith(beginning) and len(word) <= len(part) + _ENDING


def _stem(word: str) -> str:
    return word[: max(min(len(word), _SHORT_STEM), min(_STEM, len(word) - 1))]


def _from_yaml(text: str, path: Path) -> dict[str, str]:
    try:
        pairs = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"this is no YAML: {error}", file=str(path), hint=_HINT) from error
    if not isinstance(pairs, Mapping):
        raise UserError("this is no glossary", file=str(path), hint=_HINT)
    return _checked(((str(term), term, translation) for term, translation in pairs.items()), path)


def _from_table(text: str, path: Path) -> dict[str, str]:
    rows = ((number, line.split("\t")) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    return _checked(((f"line {number}", row[0], "\t".join(row[1:])) for number, row in rows), path)


def _checked(rows: Iterator[tuple[str, object, object]], path: Path) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for place, term, translation in rows:
        if not (isinstance(term, str) and _WORD.search(term)):
            raise UserError("a term must have a word", file=str(path), place=place, hint=_HINT)
        if not (isinstance(translation, str) and translation.strip()) or "\t" in translation:
            raise UserError("a term must have one translation", file=str(path), place=place, hint=_HINT)
        pairs[term.strip()] = translation.strip()
    return pairs

"""Language confusion: an answer in another language than was asked for, or one that changes it on the way.

As the Language Confusion Benchmark (Marchisio et al. 2024, arXiv 2406.20052) does it: whole answers and lines
are judged by lid.176, and words by their script. Names, abbreviations, terms, short quotations, code and
whatever stands in the passage itself may be in Latin letters anywhere; other scripts only in brackets,
quotation marks or where the passage has the word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from filters.language.identify import LanguageIdentifier
from filters.language.language_codes import language_code
from filters.quality.scripts import SCRIPTS, script_table
from pipelines.synthesis.checks.prose import prose
from pipelines.synthesis.checks.terms import SHORT, SPOKEN_OF, TERMS
from pipelines.synthesis.draft import Rejection

WRONG, SWAP = "wrong_language", "language_swap"

_WHOLE_LETTERS, _WHOLE_SCORE = 20, 0.5
"""Letters that a text needs before its language is identified, and the score to believe another one."""
_SHORT_WORDS, _SHORT_SCORE = 3, 0.8
"""Of a shorter text the small words that it needs, and the score."""
_LINE_LETTERS, _LINE_WORDS, _LINE_SCORE = 20, 5, 0.6
"""The same of a line or a sentence."""
_OWN_SHARE = 0.5
"""Of the letters so many must be of the language's script."""
_PHRASE = 3
"""Words of Latin letters in a row, two of them small, that are a phrase and not a name."""

_LETTERS_OF = {
    "Cyrl": ("cyrillic",), "Grek": ("greek",), "Hani": ("han",), "Jpan": ("han", "kana"),
    "Hang": ("hangul",), "Arab": ("arabic",), "Hebr": ("hebrew",), "Deva": ("devanagari",),
    "Thai": ("thai",), "Latn": ("latin",),
}  # fmt: skip
"""The scripts that are told apart, by their names in ISO 15924."""
_IN_TWO_SCRIPTS = {"sr", "sh", "bs", "uz", "kk", "az", "tg", "tk", "ku"}
_SHARED_SCRIPTS = {"latin", "cyrillic", "arabic", "devanagari"}
"""Scripts of many languages; the others tell their language by themselves."""
_CLOSE = (
    {"id", "ms", "jv", "su", "min"}, {"zh", "wuu", "yue"}, {"no", "nn", "da"}, {"sr", "hr", "bs", "sh"},
    {"ar", "arz"}, {"hi", "mr", "ne", "bh", "mai", "sa", "new"}, {"fa", "mzn", "glk", "lrc"},
    {"es", "gl", "ast", "an"}, {"pt", "gl"}, {"de", "als", "bar", "nds"}, {"it", "scn", "lmo", "vec", "pms"},
    {"tr", "az"}, {"en", "sco"}, {"ru", "rue"}, {"fr", "oc"}, {"nl", "af", "li"},
)  # fmt: skip
"""Languages that lid.176 takes for one another."""

_SEGMENT = re.compile(r"\n+|(?<=[.!?…])[\"”»)]?\s+|(?<=[。！？।])")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]{1,3})?")
_LATIN_RUN = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f'’,;: -]*")
_LETTER_RUN = re.compile(r"[^\W\d_]+")
_LATIN_AND_CYRILLIC = re.compile(r"[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]")
_ASIDE = re.compile(r"[(（\[«\"“„「『《][^()（）\[\]«»\"“”\n]{1,80}[)）\]»\"”“」』》]")
_JOINED_BEFORE, _JOINED_AFTER = frozenset("./\\@#_-$&=<%:+{0123456789"), frozenset("/\\@#_-$&=(<+0123456789")


def language_fault(
    text: str, language: str, identifier: LanguageIdentifier, passage: str = ""
) -> Rejection | None:
    """`wrong_language` or `language_swap`, None where a text is in the language or too short to tell.

    Args:
        text: An answer; what is code, a formula or an address in it does not count.
        language: The code of the language that it is to be in; nothing is checked of `und`.
        identifier: Tells languages.
        passage: What it is about, whose words may be used as they are.
    """
    scripts = _scripts_of(language)
    if language not in identifier.codes or not scripts:
        return None
    written = prose(text)
    letters = _letters(written)
    if not letters.total():
        return None
    given = _Given(passage)
    reason = _script_reason(written, letters, scripts, given) or _identified_reason(
        written, letters, language, scripts, identifier, given
    )
    return Rejection.of(*reason) if reason else None


@dataclass(frozen=True)
class _Letters:
    """How many letters of each script a text has."""

    counts: dict[str, int]

    def total(self) -> int:
        return sum(self.counts.values())

    def of(self, scripts: Sequence[str]) -> int:
        return sum(self.counts[script] for script in scripts)


class _Given:
    """The passage, as far as words and lines are looked up in it; folded when that is first needed."""

    def __init__(self, passage: str) -> None:
        self._passage = passage
        self._folded: str | None = None

    def has(self, words: str) -> bool:
        if self._folded is None:
            self._folded = self._passage.casefold()
        return words.casefold().strip() in self._folded


def _scripts_of(language: str) -> tuple[str, ...]:
    """The scripts of a language; none where they are not among those that are told apart."""
    if language in _IN_TWO_SCRIPTS:
        return ("cyrillic", "latin")
    for script, names in _LETTERS_OF.items():
        if language_code(f"{language}_{script}") == language:
            return names
    return ()


def _letters(text: str) -> _Letters:
    points = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    counts = np.bincount(script_table()[points], minlength=256)
    return _Letters({name: int(counts[place]) for place, name in enumerate(SCRIPTS, start=1)})


def _script_reason(
    text: str, letters: _Letters, scripts: tuple[str, ...], given: _Given
) -> tuple[str, str] | None:
    """Letters that the language does not have."""
    foreign = letters.total() - letters.of(scripts) - letters.counts["latin"] * ("latin" not in scripts)
    if "kana" in scripts and not letters.counts["kana"] and letters.counts["han"] >= _WHOLE_LETTERS:
        return WRONG, text
    if foreign and (found := _foreign_word(text, scripts, given)):
        wrong = foreign > _OWN_SHARE * letters.total()
        return (WRONG, text) if wrong else (SWAP, found)
    if letters.counts["latin"] and letters.counts["cyrillic"] and (found := _mixed_word(text, given)):
        return SWAP, found
    if "latin" not in scripts and letters.counts["latin"]:
        return _latin_reason(text, letters, scripts, given)
    return None


def _foreign_word(text: str, scripts: tuple[str, ...], given: _Given) -> str | None:
    """The first word of a script that is neither the language's nor Latin, outside brackets and quotes."""
    run = _foreign_run(scripts)
    outside = _ASIDE.sub(" ", text)
    if not _letters(outside).of(scripts):
        outside = text
    for found in run.finditer(outside):
        if not given.has(found[0]):
            return _around(outside, found.start())
    return None


@lru_cache(maxsize=64)
def _foreign_run(scripts: tuple[str, ...]) -> re.Pattern[str]:
    """Two letters in a row of a foreign script, or one that is a word by itself."""
    two = {"cyrillic": "\u0400-\u052f", "hebrew": "\u05d0-\u05ea", "arabic": "\u0620-\u064a\u066e-\u06d3"}
    three = {"greek": "\u0370-\u03e1\u1f00-\u1fff"}
    one = {
        "han": "\u3400-\u4dbf\u4e00-\u9fff", "kana": "\u3041-\u3096\u30a1-\u30fa", "hangul": "\uac00-\ud7a3",
        "devanagari": "\u0904-\u0939", "thai": "\u0e01-\u0e30",
        "other": "\u0980-\u0dff\u0e81-\u109f\u10a0-\u10ff\u0530-\u058f",
    }  # fmt: skip
    parts = [
        f"[{''.join(chosen)}]{{{least},}}"
        for least, ranges in ((1, one), (2, two), (3, three))
        if (chosen := [letters for name, letters in ranges.items() if name not in scripts])
    ]
    return re.compile("|".join(parts))


def _mixed_word(text: str, given: _Given) -> str | None:
    """The first word in which Latin and Cyrillic letters touch, as look-alike letters do."""
    if not _LATIN_AND_CYRILLIC.search(text):
        return None
    for word in _LETTER_RUN.finditer(text):
        if _LATIN_AND_CYRILLIC.search(word[0]) and not given.has(word[0]):
            return _around(text, word.start())
    return None


def _latin_reason(
    text: str, letters: _Letters, scripts: tuple[str, ...], given: _Given
) -> tuple[str, str] | None:
    """What Latin letters say in a language that is not written with them."""
    outside = _ASIDE.sub(" ; ", text)
    strange = [word for word in _LATIN_WORD.findall(outside) if not given.has(word)]
    small = [word for word in strange if word.islower() and (len(word) > 3 or word in SHORT)]
    if letters.of(scripts) < _OWN_SHARE * letters.total():
        several = len(strange) >= _LINE_WORDS or len(small) >= 2
        return (WRONG, text) if several or (small and not letters.of(scripts)) else None
    if not small:
        return None
    found = _phrase(outside, given) or _small_word(outside, given)
    return (SWAP, found) if found else None


def _phrase(text: str, given: _Given) -> str | None:
    for run in _LATIN_RUN.finditer(text):
        words = _LATIN_WORD.findall(run[0])
        small = sum(word.islower() for word in words)
        if len(words) >= _PHRASE and small >= 2 and small * 2 > len(words) and not given.has(run[0]):
            return run[0]
    return None


def _small_word(text: str, given: _Given) -> str | None:
    """The first small word, such as `important`, that is no term and no part of a name or of code."""
    for found in _LATIN_WORD.finditer(text):
        word = found[0]
        if not word.islower() or (len(word) < 4 and word not in SHORT) or word in TERMS or given.has(word):
            continue
        before, after = text[max(0, found.start() - 24) : found.start()], text[found.end() : found.end() + 2]
        if (before[-1:] in _JOINED_BEFORE and before) or (after[:1] in _JOINED_AFTER and after):
            continue
        if after[:1] in ".:" and after[1:].isalnum():
            continue
        if not SPOKEN_OF.search(before):
            return _around(text, found.start())
    return None


def _identified_reason(
    text: str,
    letters: _Letters,
    language: str,
    scripts: tuple[str, ...],
    identifier: LanguageIdentifier,
    given: _Given,
) -> tuple[str, str] | None:
    """What lid.176 says of the whole and of its lines and sentences."""
    if letters.total() < _WHOLE_LETTERS / 2 or not _SHARED_SCRIPTS & set(scripts):
        return None
    texts = [text, *_lines(text)]
    identified = identifier.identify(pa.array(texts, pa.large_string()))
    found = list(zip(texts, *(column.to_pylist() for column in identified.columns), strict=True))
    accepted = {language}.union(*(group for group in _CLOSE if language in group))
    _, whole, score = found[0]
    sure_enough = (score >= _WHOLE_SCORE and _tells(text)) or (score >= _SHORT_SCORE and _tells_little(text))
    if whole not in accepted and sure_enough and not given.has(text):
        return WRONG, text
    for line, other, score in found[1:]:
        if other not in accepted and score >= _LINE_SCORE and not given.has(line):
            return SWAP, line
    return None


def _lines(text: str) -> Iterator[str]:
    """Lines and sentences that are long enough to tell their language, short ones joined."""
    short: list[str] = []
    for line in _SEGMENT.split(text):
        if not line:
            continue
        short.append(line)
        joined = " ".join(short)
        if len(joined) >= _LINE_LETTERS:
            if _tells(joined):
                yield joined
            short.clear()


def _tells(line: str) -> bool:
    """Whether a line has enough words that are no names for its language to be told."""
    words = _LETTER_RUN.findall(line)
    small = [word for word in words if not word[0].isupper()]
    return (
        len(words) >= _LINE_WORDS and 2 * len(small) >= len(words) and sum(map(len, words)) >= _LINE_LETTERS
    )


def _tells_little(text: str) -> bool:
    return sum(word.islower() for word in _LETTER_RUN.findall(text[:1000])) >= _SHORT_WORDS


def _around(text: str, at: int) -> str:
    """What stands around a place, for people."""
    return text[max(0, at - 60) : at + 120].strip()

"""Repetition: the loops that small models fall into.

The measures of Gopher (Rae et al. 2021, table A1), on the prose of one text: how much of it stands in lines
or sentences, and in runs of words, that were there before; and what stands many times in a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.synthesis.checks.prose import prose
from pipelines.synthesis.checks.words import UNSPACED, words
from pipelines.synthesis.draft import Rejection

_FEWEST_SENTENCES, _SENTENCE_SHARE = 4, 0.3
"""Gopher's bound for lines. Sentences and lines of fewer than `_SHORTEST` characters are labels."""
_SHORTEST = 12
_FEWEST_WORDS, _WORD_SHARE = 30, 0.3
_RUN, _RUN_UNSPACED = 6, 12
"""Words, or pairs of characters, of a run that counts as said again."""
_IN_A_ROW = 5
"""So many of the same word, or group of up to four words, in a row."""
_SENTENCE = re.compile(r"\n+|(?<=[.!?…])\s+|(?<=[。！？।])")
_ONE_CHARACTER = re.compile(r"([^\s\-=_.*#~|+─—–…\d])\1{24}")
_UNSPACED = re.compile(f"[{UNSPACED}]")


def repetition_fault(text: str) -> Rejection | None:
    """`repetition` where too much of a text was said before in it."""
    text = prose(text)
    if _ONE_CHARACTER.search(text):
        return Rejection.of("repetition", text)
    sentences = [line for each in _SENTENCE.split(text) if len(line := each.strip().casefold()) >= _SHORTEST]
    if len(sentences) >= _FEWEST_SENTENCES and _said_again(sentences) > _SENTENCE_SHARE:
        return Rejection.of("repetition", text)
    found = words(text)
    run = _RUN_UNSPACED if 2 * len(_UNSPACED.findall(text)) > len(text) else _RUN
    if in_a_row(found) or (len(found) >= _FEWEST_WORDS and repeated_share(found, run) > _WORD_SHARE):
        return Rejection.of("repetition", text)
    return None


def _said_again(sentences: Sequence[str]) -> float:
    """The share of characters in sentences that stand earlier in the text."""
    seen: set[str] = set()
    again = 0
    for sentence in sentences:
        again += len(sentence) * (sentence in seen)
        seen.add(sentence)
    return again / sum(map(len, sentences))


def repeated_share(found: Sequence[str], run: int) -> float:
    """The share of words that stand in a run of so many words which was there before."""
    seen: set[tuple[str, ...]] = set()
    again = covered = 0
    for at in range(len(found) - run + 1):
        gram = tuple(found[at : at + run])
        if gram in seen:
            again += at + run - max(at, covered)
            covered = at + run
        seen.add(gram)
    return again / max(1, len(found))


def in_a_row(found: Sequence[str]) -> bool:
    """Whether one to four words stand many times in a row, and are not only numbers or single letters."""
    for size in range(1, 5):
        same = 0
        for at in range(size, len(found)):
            same = same + 1 if found[at] == found[at - size] else 0
            if same >= size * (_IN_A_ROW - 1) and any(
                len(word) > 1 and not word.isdecimal() for word in found[at - size : at]
            ):
                return True
    return False

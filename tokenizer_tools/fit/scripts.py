"""The scripts that texts do without, and a vocabulary's tokens for them."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer_tools.fit.token_bytes import TokenBytes
from tokenizer_tools.fit.words import Spans

SCRIPTS = (
    *("Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati"),
    *("Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao", "Malayalam"),
    *("Mongolian", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan"),
)
"""Unicode scripts that may be missing. Not Latin: code, names and addresses are written in it everywhere."""

RARE = 0.001
"""A script in fewer of the words than this share is one that the texts do without."""


def missing_scripts(words: Spans) -> list[str]:
    """The scripts that the words do without."""
    counts = np.bincount(words.number, minlength=len(words.distinct))

    def words_in(script: str) -> int:
        return int(counts[_holding(words.distinct, script).to_numpy(zero_copy_only=False)].sum())

    return [script for script in SCRIPTS if words_in(script) < RARE * counts.sum()]


def tokens_by_script(ids: Iterable[int], tokens: TokenBytes, scripts: Iterable[str]) -> dict[str, int]:
    """How many of the ids hold a character of each script, most first; one of several counts once."""
    texts = pa.array([tokens.texts[number].decode(errors="ignore") for number in ids], pa.large_string())
    found = {}
    for script in scripts:
        holding = _holding(texts, script)
        found[script] = holding.true_count
        texts = texts.filter(pc.invert(holding))
    return {script: count for script, count in sorted(found.items(), key=lambda each: -each[1]) if count}


def _holding(texts: pa.LargeStringArray, script: str) -> pa.BooleanArray:
    return pc.match_substring_regex(texts, rf"\p{{{script}}}")

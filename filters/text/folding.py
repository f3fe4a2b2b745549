"""Folding: the code points without case and accents by which texts are compared."""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache

import numpy as np

DROPPED = 0
"""Folds to nothing: combining marks and other characters that one does not see."""
SEPARATOR = 1
"""Folds to a gap between words: white space, punctuation, symbols, controls."""
IDEOGRAPH = 1 << 31
"""Flag of a folded code point that is a word by itself: Han, kana, other scripts without spaces."""

# Thai, Lao, Myanmar, Khmer, kana, Han: scripts that do not put spaces between words.
UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007),
    (0x3021, 0x3029), (0x3031, 0x3035), (0x303B, 0x303C), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D), (0x1B000, 0x1B16F), (0x20000, 0x323AF),
)  # fmt: skip


@lru_cache(maxsize=1)
def lower_case() -> np.ndarray:
    """The simple lower-case mapping of every code point: uint32, shape (0x110000,)."""
    table = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for point in range(sys.maxunicode + 1):
        lower = chr(point).lower()
        if len(lower) == 1:
            table[point] = ord(lower)
    return table


@lru_cache(maxsize=1)
def word_folding() -> np.ndarray:
    """The folded form of each code point in the words that MinHash compares: uint32, shape (0x110000,).

    Letters lose case and accents (`É` and `é` become `e`, `Ё` becomes `е`), compatibility forms become plain
    (full-width `Ａ` becomes `a`), digits stay. All but letters, numbers and marks separate words.
    """
    table = np.full(sys.maxunicode + 1, SEPARATOR, dtype=np.uint32)
    for point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(point))
        if category in ("Mn", "Me", "Cf"):
            table[point] = DROPPED
        elif category[0] in "LNM":
            character = chr(point)
            if not _is_hangul(point):
                character = unicodedata.normalize("NFKD", character)
            base = character.lower()[0]
            table[point] = ord(base) if base.isalnum() else point
    for first, last in UNSPACED:
        block = table[first : last + 1]
        block[block > SEPARATOR] |= np.uint32(IDEOGRAPH)
    return table


def _is_hangul(point: int) -> bool:
    """Whether a code point is a Hangul syllable, which decomposes into letters, not accents."""
    return 0xAC00 <= point <= 0xD7A3

"""A word as kernels write it: where it is, how long, its hash, what it is made of."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.characters import LETTER, PUNCTUATION, SYMBOL, TERMINAL, ascii_letters_end, decode, step
from filters.text.hashing import hash_bytes
from filters.text.kernel import inline_kernel, kernel

WORD = np.dtype(
    [
        ("hash", np.uint64),  # of its bytes, never 0
        ("start", np.int32),  # first byte, from the start of the document
        ("end", np.int32),  # byte behind the last
        ("length", np.int32),  # characters
        ("kind", np.int32),  # IS_WORD | HAS_LETTER | IS_PUNCTUATION | IS_TERMINAL
    ]
)
IS_WORD = 1
"""Kind of a word with a character that is no symbol."""
HAS_LETTER = 2
"""Kind of a word with a letter."""
IS_PUNCTUATION = 4
"""Kind of a word of punctuation alone."""
IS_TERMINAL = 8
"""Kind of a word that is one character, a terminal mark."""


@inline_kernel
def put_word(words, count, key, start, end, length, kind):
    """Writes one word; returns the new number of words."""
    word = words[count]
    word.hash = key
    word.start = start
    word.end = end
    word.length = length
    word.kind = kind
    return count + 1


@kernel
def write_word(data, start, stop, classes, base, words, count):
    """Writes the word `data[start:stop]`; returns the new number of words."""
    at = ascii_letters_end(data, start, stop)
    length = at - start
    kind = IS_WORD | HAS_LETTER if length else IS_PUNCTUATION
    terminal = False
    while at < stop:
        character = classes[decode(data, at, stop)]
        kind |= (character & SYMBOL == 0) | (character & LETTER != 0) * HAS_LETTER
        if not character & PUNCTUATION:
            kind &= ~IS_PUNCTUATION
        terminal = character & TERMINAL != 0
        length += 1
        at = step(data, at, stop)
    if terminal and length == 1:
        kind |= IS_TERMINAL
    return put_word(words, count, hash_bytes(data, start, stop), start - base, stop - base, length, kind)

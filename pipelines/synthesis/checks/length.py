"""Length: answers of nothing and answers without an end."""

from __future__ import annotations

from pipelines.synthesis.checks.words import word_count
from pipelines.synthesis.draft import Rejection


def length_fault(text: str, fewest: int, most: int) -> Rejection | None:
    """`too_short` or `too_long`, in words; two characters of a script without spaces count as a word."""
    count = word_count(text)
    if count < fewest:
        return Rejection.of("too_short", text)
    if count > most:
        return Rejection.of("too_long", text)
    return None

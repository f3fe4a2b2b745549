"""Words for people in the place of the keys under which numbers stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipelines.execution.counts import Count

PHRASES = {"emptied": "emptied by"}
"""Where an identifier alone reads badly."""


def phrase(count: Count) -> str:
    """The key in words: what, of which scope, and why."""
    what = PHRASES.get(count.what, count.what.replace("_", " "))
    scoped = f"{what} {count.scope}" if count.scope else what
    return f"{scoped}: {count.reason}" if count.reason else scoped


def in_words(numbers: Mapping[Count, int]) -> dict[str, int]:
    """The numbers under phrases, sorted."""
    named: Counter[str] = Counter()
    for count, number in numbers.items():
        named[phrase(count)] += number
    return dict(sorted(named.items()))

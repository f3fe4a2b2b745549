"""Words for people in the place of the keys under which numbers stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipelines.execution.counts import Count

DONE_BY_AN_EDIT = {"emptied", "removed"}


def phrase(count: Count) -> str:
    """The key in words: what, of which scope or by which edit, and why."""
    words = count.what.replace("_", " ")
    if count.scope:
        words += f" by {count.scope}" if count.what in DONE_BY_AN_EDIT else f" ({count.scope})"
    return f"{words}: {count.reason}" if count.reason else words


def in_words(numbers: Mapping[Count, int]) -> dict[str, int]:
    """The numbers under phrases, sorted."""
    named: Counter[str] = Counter()
    for count, number in numbers.items():
        named[phrase(count)] += number
    return dict(sorted(named.items()))

"""What is in a folder and is not read as documents: counted by its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

MAX_KINDS = 10
OTHER_KINDS = "other kinds"


class PassedOver(NamedTuple):
    """Files of one kind that a source does not read."""

    kind: str
    """A suffix, or what is known by its name, such as README."""
    files: int
    example: str
    """The path of the first."""


def count_passed_over(found: Iterable[tuple[str, str]]) -> list[PassedOver]:
    """Count (kind, path) by kind, the most frequent first; the rarest of many are counted together."""
    found = sorted(found)
    files = Counter(kind for kind, _ in found)
    named = {kind: kind for kind, _ in files.most_common(MAX_KINDS)}
    kinds = Counter(named.get(kind, OTHER_KINDS) for kind, _ in found)
    examples = {named.get(kind, OTHER_KINDS): path for kind, path in reversed(found)}
    return [PassedOver(kind, number, examples[kind]) for kind, number in kinds.most_common()]


def joined(found: Iterable[PassedOver]) -> list[PassedOver]:
    """What several places hold, counted together."""
    kinds: dict[str, PassedOver] = {}
    for each in found:
        other = kinds.get(each.kind, PassedOver(each.kind, 0, each.example))
        kinds[each.kind] = PassedOver(each.kind, each.files + other.files, min(each.example, other.example))
    ranked = sorted(kinds.values(), key=lambda each: (each.kind == OTHER_KINDS, -each.files, each.kind))
    shown, rest = ranked[:MAX_KINDS], ranked[MAX_KINDS:]
    if not rest:
        return shown
    return [*shown, PassedOver(OTHER_KINDS, sum(each.files for each in rest), rest[0].example)]


def describe(passed_over: list[PassedOver]) -> str:
    """In words: `2 files passed over: .bin (1, e.g. x.bin), README (1, e.g. README.md)`."""
    files = sum(each.files for each in passed_over)
    kinds = ", ".join(f"{each.kind} ({each.files:,}, e.g. {each.example})" for each in passed_over)
    return f"{files:,} file{'s'[: files != 1]} passed over: {kinds}"

"""A warning of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["fault", "caution"]
FAULT: Level = "fault"
CAUTION: Level = "caution"
NAMED = 5
"""Names in a sentence."""


@dataclass(frozen=True)
class Warned:
    """What a reader should know."""

    level: Level
    section: str
    """The id of the page's section that it is about."""
    kind: str
    """For programs: the same for the same trouble."""
    in_words: str

    def to_json(self) -> dict[str, str]:
        """Plain types, for JSON."""
        return asdict(self)


def first_names(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")

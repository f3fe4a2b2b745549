"""What went into a step, what came out and what was dropped, by reason: the conservation sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field


class Flow(BaseModel):
    """One conserved quantity (documents, bytes, tokens, ...): `entered` = `left` + all `dropped`."""

    entered: int = 0
    left: int = 0
    dropped: Counter[str] = Field(default_factory=Counter)

    @property
    def missing(self) -> int:
        """How many are unaccounted for; 0 when the sum closes."""
        return self.entered - self.left - sum(self.dropped.values())


class Counts(BaseModel):
    """The flows of a task or stage, and plain facts (counters that take part in no sum)."""

    flows: dict[str, Flow] = Field(default_factory=dict)
    facts: Counter[str] = Field(default_factory=Counter)

    def flow(self, unit: str, *, entered: int, left: int, dropped: Mapping[str, int] | None = None) -> None:
        """Add to the flow of `unit`; reasons with a count of zero are left out."""
        flow = self.flows.setdefault(unit, Flow())
        flow.entered += int(entered)
        flow.left += int(left)
        flow.dropped.update({reason: int(n) for reason, n in (dropped or {}).items() if n})

    def fact(self, name: str, number: int) -> None:
        """Add to a plain counter."""
        self.facts[name] += int(number)

    def add(self, other: Counts) -> None:
        """Add all of `other` to this."""
        for unit, flow in other.flows.items():
            self.flow(unit, entered=flow.entered, left=flow.left, dropped=flow.dropped)
        self.facts.update(other.facts)

    def unclosed(self) -> list[str]:
        """A sentence for each flow whose sum does not close."""
        return [
            f"{unit}: {flow.entered} in, {flow.left} out, {sum(flow.dropped.values())} dropped: "
            f"{flow.missing} unaccounted for"
            for unit, flow in sorted(self.flows.items())
            if flow.missing
        ]

    def to_json(self) -> dict[str, Any]:
        """JSON-able, with sorted keys."""
        return {
            "flows": {
                unit: {"entered": f.entered, "left": f.left, "dropped": dict(sorted(f.dropped.items()))}
                for unit, f in sorted(self.flows.items())
            },
            "facts": dict(sorted(self.facts.items())),
        }


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of many counts."""
    result = Counts()
    for item in counts:
        result.add(item)
    return result

"""What went into a step, what came out and what was dropped, and why: the conservation sums.

Every number stands under a typed key and never under a sentence; `report/words.py` makes words of keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, TypeAdapter
from typing_extensions import TypedDict


class Count(NamedTuple):
    """The key of a number."""

    what: str
    """What is counted, as an identifier: `tokens`, `failed_rule`, `emptied`."""
    scope: str = ""
    """The source, mixture, group or edit, where a step counts several apart."""
    reason: str = ""
    """The rule or reason, where there are several."""


class Row(TypedDict):
    """A number in JSON, beside the fields of its key."""

    what: str
    scope: str
    reason: str
    number: int


_ROWS = TypeAdapter(list[Row])


def _from_rows(rows: Any) -> Counter[Count]:
    return Counter(
        {
            Count(row["what"], row["scope"], row["reason"]): row["number"]
            for row in _ROWS.validate_python(rows)
        }
    )


def _to_rows(numbers: Counter[Count]) -> list[dict[str, Any]]:
    return [{**count._asdict(), "number": number} for count, number in sorted(numbers.items())]


Numbers = Annotated[Counter[Count], BeforeValidator(_from_rows), PlainSerializer(_to_rows)]
"""Numbers by their keys; in JSON a sorted list of rows."""


class Flow(BaseModel):
    """One conserved quantity (documents, bytes, tokens, ...): `entered` = `left` + all `dropped`."""

    entered: int = 0
    left: int = 0
    dropped: Numbers = Field(default_factory=Counter)

    @property
    def missing(self) -> int:
        """How many are unaccounted for; 0 when the sum closes."""
        return self.entered - self.left - self.dropped.total()


class Counts(BaseModel):
    """The flows of a task or stage, and plain facts (numbers that take part in no sum)."""

    flows: dict[str, Flow] = Field(default_factory=dict)
    facts: Numbers = Field(default_factory=Counter)

    def flow(self, unit: str, *, entered: int, left: int, dropped: Mapping[Count, int] | None = None) -> None:
        """Add to the flow of `unit`; drops of zero are left out."""
        flow = self.flows.setdefault(unit, Flow())
        flow.entered += int(entered)
        flow.left += int(left)
        flow.dropped.update({count: int(n) for count, n in (dropped or {}).items() if n})

    def add(self, what: str, number: int, *, scope: str = "", reason: str = "") -> None:
        """Add to a fact."""
        self.facts[Count(what, scope, reason)] += int(number)

    def update(self, other: Counts) -> None:
        """Add all of `other` to this."""
        for unit, flow in other.flows.items():
            self.flow(unit, entered=flow.entered, left=flow.left, dropped=flow.dropped)
        self.facts.update(other.facts)

    def number(self, what: str, *, scope: str = "", reason: str = "") -> int:
        """A fact; 0 where it was not counted."""
        return self.facts[Count(what, scope, reason)]

    def rows(self, what: str) -> Iterator[tuple[Count, int]]:
        """The facts of one kind, sorted by scope and reason."""
        return ((count, number) for count, number in sorted(self.facts.items()) if count.what == what)

    def dropped(self, unit: str) -> Counter[Count]:
        """What was dropped of `unit`; nothing where it does not flow."""
        return self.flows[unit].dropped if unit in self.flows else Counter()

    def left(self, unit: str) -> int:
        """What is left of `unit`; 0 where it does not flow, as of a source without documents."""
        return self.flows[unit].left if unit in self.flows else 0

    def unclosed(self) -> list[str]:
        """A sentence for each flow whose sum does not close."""
        return [
            f"{unit}: {flow.entered} in, {flow.left} out, {flow.dropped.total()} dropped: "
            f"{flow.missing} unaccounted for"
            for unit, flow in sorted(self.flows.items())
            if flow.missing
        ]


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of many counts."""
    result = Counts()
    for item in counts:
        result.update(item)
    return result

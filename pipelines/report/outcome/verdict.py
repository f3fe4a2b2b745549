"""A verdict: what a diagnostic says of changes, each with its interval and its margin.

A diagnostic fires when the 95 % interval of a change lies wholly beyond the margin of the recipe; it is clear
when the interval lies wholly within it; else the data is too little to tell. Several changes that tell the
same are judged together: one that is beyond its margin makes the diagnostic fire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Content = Mapping[str, Any]
"""What `outcome.json` holds."""
State = Literal["fires", "clear", "unsure", "not measured"]
DIGITS = 3
MORE = "Hold out more documents, or ask more questions, to tell."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a diagnostic says."""

    name: str
    """As in the sentence: `forgets`, `learned the domain`."""
    state: State
    good: bool
    """Whether it is good that it fires."""
    sentence: str
    evidence: list[str]
    """Each change that was judged, with its interval."""
    advice: str
    """What to do; empty where there is nothing to do."""

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that tells: positive is what makes the diagnostic fire."""

    of: str
    """What changed."""
    value: float
    interval: Sequence[float] | None
    margin: float
    unit: str
    sign: int = 1
    """-1 where less of the number is more of what is told."""

    @property
    def state(self) -> State:
        """Where the interval lies from the margin."""
        if self.interval is None:
            return "unsure"
        low, high = self.interval if self.sign > 0 else (-self.interval[1], -self.interval[0])
        if low > self.margin:
            return "fires"
        return "clear" if high <= self.margin else "unsure"

    @property
    def in_words(self) -> str:
        """The change with its interval and its margin."""
        if self.interval is None:
            sure = "too few for an interval"
        else:
            sure = f"interval {_signed(self.interval[0])} to {_signed(self.interval[1])}"
        return f"{self.of} {_signed(self.value)} {self.unit} ({sure}; margin {self.margin:g})"


def judged(
    name: str,
    changes: Sequence[Change],
    *,
    clear: str,
    advice: str,
    nothing: str,
    good: bool = False,
    otherwise: str = "",
) -> Verdict:
    """From changes to the verdict that they make.

    Args:
        name: Of the diagnostic.
        changes: What tells.
        clear: What is said where it does not fire.
        advice: Where it fires.
        nothing: Why it was not measured.
        good: Whether it is good that it fires.
        otherwise: Advice where it does not.
    """
    states = [change.state for change in changes]
    if not states:
        state: State = "not measured"
    else:
        state = "fires" if "fires" in states else "unsure" if "unsure" in states else "clear"
    telling = [change for change in changes if change.state == state] or list(changes)
    sentence = {
        "fires": f"{name}: {'; '.join(change.in_words for change in telling)}",
        "clear": f"{clear}: {'; '.join(change.in_words for change in telling)}",
        "unsure": f"{name}? Too little data to tell: {'; '.join(change.in_words for change in telling)}",
        "not measured": f"{name}? Not measured: {nothing}",
    }[state]
    return Verdict(
        name=name,
        state=state,
        good=good,
        sentence=sentence,
        evidence=[change.in_words for change in changes],
        advice={"fires": advice, "clear": otherwise, "unsure": MORE, "not measured": ""}[state],
    )


def changes_of(
    content: Content, table: str, rows: Sequence[str], margin: float, sign: int = 1
) -> list[Change]:
    """How the last stage's model differs from the base in these rows of a table."""
    return [
        Change(
            of=row["name"],
            margin=margin,
            unit=unit_of(content, table),
            sign=sign,
            **row["differences"][content["tuned"]],
        )
        for row in rows_of(content, table)
        if row["name"] in rows and content["tuned"] in row["differences"]
    ]


def change_of(of: str, estimate: Mapping[str, Any], margin: float, sign: int) -> Change:
    """A change of bits per byte."""
    return Change(of=of, margin=margin, unit="bits per byte", sign=sign, **estimate)


def unit_of(content: Content, table: str) -> str:
    """What the numbers of a table are, in words."""
    unit: str = content["tables"][table]["unit"]
    return "as a share" if unit == "share" else unit


def rows_of(content: Content, table: str) -> list[dict[str, Any]]:
    """The rows of a table; none where it was not measured."""
    return list(content["tables"].get(table, {"rows": ()})["rows"])


def remedies_of(content: Content) -> dict[str, str]:
    """The kind of each variant that may forget less, by name: merged, or trained again."""
    return {
        each["name"]: each["kind"] for each in content["variants"] if each["kind"] in ("merged", "remedy")
    }


def _signed(number: float) -> str:
    return f"{number:+.{DIGITS}f}"

"""Tables with a column for each variant: scores, and paired differences from base and last stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.intervals import Interval, interval_of_mean

Values = npt.NDArray[np.float64]
Unit = Literal["bits per byte", "share", "score"]


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; None where too little is known of it."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the variants gave on the same documents, questions or tokens."""

    name: str
    count: int
    """Of documents, questions or tokens."""
    scores: dict[str, Estimate]
    """By variant."""
    differences: dict[str, Estimate] = field(default_factory=dict)
    """How much more each has than the base."""
    from_tuned: dict[str, Estimate] = field(default_factory=dict)
    """How much more each has than the model of the last stage."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A measure of all variants."""

    title: str
    unit: Unit
    counted: str
    """What a row counts."""
    less_is_better: bool = False
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class References:
    """The names of the variants with which all are compared."""

    base: str
    tuned: str
    """The model of the last stage."""


def row_of_values(name: str, values: Mapping[str, Values], references: References) -> Row:
    """The means of values of the same questions.

    Args:
        name: Of the row.
        values: By variant, `[questions]`, in one order.
        references: With whom all are compared.
    """

    def differences(reference: str) -> dict[str, Estimate]:
        if reference not in values:
            return {}
        beside = values[reference]
        return {variant: _mean(found - beside) for variant, found in values.items() if variant != reference}

    return Row(
        name=name,
        count=len(next(iter(values.values()))),
        scores={variant: _mean(found) for variant, found in values.items()},
        differences=differences(references.base),
        from_tuned=differences(references.tuned),
    )


def _mean(values: Values) -> Estimate:
    return Estimate(float(values.mean()), interval_of_mean(values))

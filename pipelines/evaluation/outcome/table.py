"""Tables with a column for each variant: scores, and paired differences from base and last stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.intervals import Interval, interval_of_mean
from pipelines.evaluation.shares import difference_interval, share_interval

OfVariant = TypeVar("OfVariant")
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
        return {
            variant: _difference(found, beside) for variant, found in values.items() if variant != reference
        }

    return Row(
        name=name,
        count=len(next(iter(values.values()))),
        scores={variant: _mean(found) for variant, found in values.items()},
        differences=differences(references.base),
        from_tuned=differences(references.tuned),
    )


def reference_first(found: Mapping[str, OfVariant], reference: str) -> dict[str, OfVariant]:
    """The same with the variant first from which all others are to differ."""
    return {reference: found[reference], **found}


def _mean(values: Values) -> Estimate:
    interval = share_interval(values == 1) if _are_shares(values) else interval_of_mean(values)
    return Estimate(float(values.mean()), interval)


def _difference(values: Values, beside: Values) -> Estimate:
    """The paired difference; shares have an interval of their own (`shares`)."""
    if _are_shares(values) and _are_shares(beside):
        interval = difference_interval(values == 1, beside == 1)
    else:
        interval = interval_of_mean(values - beside)
    return Estimate(float(values.mean() - beside.mean()), interval)


def _are_shares(values: Values) -> bool:
    """Whether all are right or wrong."""
    return bool(np.isin(values, (0.0, 1.0)).all())

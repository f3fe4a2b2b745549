"""A chart of the report's page as plain data: drawn by `templates/charts.js`, with a table behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Number = float | None
Interval = Sequence[float] | None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn, by a function of `charts.js` that has the name `kind`."""

    kind: str
    label: str
    """What it shows, for those who cannot see it."""
    data: Mapping[str, Any]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """The same numbers as a table; the first column holds names."""
    height: int = field(default=280)
    """In CSS pixels."""


def bars(
    label: str,
    categories: Sequence[str],
    series: Mapping[str, Sequence[Number]],
    *,
    of: str,
    unit: str,
    stacked: bool = False,
    intervals: Mapping[str, Sequence[Interval]] | None = None,
    shades: Sequence[str] | None = None,
) -> Chart:
    """Horizontal bars, one for each series beside or (`stacked`) behind one another; `of` names a category.

    `unit` is `share` for numbers from 0 to 1, or what is counted. `intervals` of a series are whiskers;
    `shades` are names of the page's colours, where the series are not to have one after the other.
    """
    thick = 18 if stacked else 14 * len(series)
    named = [
        {"name": name, "values": list(values), "intervals": list((intervals or {}).get(name, ()))}
        for name, values in series.items()
    ]
    return Chart(
        kind="bars",
        label=label,
        data={
            "categories": list(categories),
            "series": named,
            "unit": unit,
            "stacked": stacked,
            "shades": shades,
        },
        columns=[of, *(f"{name}, {unit}" for name in series)],
        rows=[[name, *values] for name, *values in zip(categories, *series.values(), strict=True)],
        height=70 + (thick + 12) * len(categories),
    )


def lines(
    label: str,
    series: Sequence[Mapping[str, Any]],
    *,
    x: str,
    unit: str,
    band: float | None = None,
) -> Chart:
    """Curves: of each series `name`, `x`, `y` and `intervals` or None.

    `band` is drawn as the range from -band to +band.
    """
    columns, rows = _by_place(series, x, unit) if _share_places(series) else _by_curve(series, x, unit)
    return Chart(
        kind="lines",
        label=label,
        data={"series": list(series), "x": x, "unit": unit, "band": band},
        columns=columns,
        rows=rows,
    )


def _share_places(series: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the table has a row a place and a column a curve."""
    return all(each["x"] == series[0]["x"] and not each.get("intervals") for each in series)


def _by_place(series: Sequence[Mapping[str, Any]], x: str, unit: str) -> tuple[list[str], list[list[Any]]]:
    values = zip(*(each["y"] for each in series), strict=True)
    places = series[0]["x"] if series else ()
    columns = [x, *(f"{each['name']}, {unit}" for each in series)]
    return columns, [[place, *row] for place, row in zip(places, values, strict=True)]


def _by_curve(series: Sequence[Mapping[str, Any]], x: str, unit: str) -> tuple[list[str], list[list[Any]]]:
    rows = [
        [each["name"], place, value, *(interval or (None, None))]
        for each in series
        for place, value, interval in zip(
            each["x"], each["y"], each.get("intervals") or [None] * len(each["x"]), strict=True
        )
    ]
    width = 5 if any(each.get("intervals") for each in series) else 3
    return ["curve", x, unit, "from", "to"][:width], [row[:width] for row in rows]


def histogram(
    label: str,
    low: Sequence[float],
    high: Sequence[float],
    series: Mapping[str, Sequence[Number]],
    *,
    x: str,
    unit: str,
    thresholds: Mapping[str, float] | None = None,
    logarithmic: bool = False,
) -> Chart:
    """Counts of values from each of `low` to its `high`, the series on top of one another."""
    return Chart(
        kind="histogram",
        label=label,
        data={
            "low": list(low),
            "high": list(high),
            "series": [{"name": name, "values": list(values)} for name, values in series.items()],
            "x": x,
            "unit": unit,
            "thresholds": [{"name": name, "value": value} for name, value in (thresholds or {}).items()],
            "logarithmic": logarithmic,
        },
        columns=[f"{x}, from", "to", *(f"{name}, {unit}" for name in series)],
        rows=[list(row) for row in zip(low, high, *series.values(), strict=True)],
    )


def heatmap(
    label: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[int]],
    *,
    of: str,
    unit: str,
) -> Chart:
    """Numbers by row and column; `cells` has one list a row, and nothing is drawn for 0."""
    return Chart(
        kind="heatmap",
        label=label,
        data={
            "rows": list(rows),
            "columns": list(columns),
            "cells": [list(row) for row in cells],
            "unit": unit,
        },
        columns=[of, *columns],
        rows=[[name, *values] for name, values in zip(rows, cells, strict=True)],
        height=130 + 30 * len(rows),
    )


def points(
    label: str,
    places: Sequence[Sequence[float]],
    line: Sequence[Sequence[float]] | None,
    *,
    x: str,
    unit: str,
) -> Chart:
    """Points over a logarithmic axis, and the ends of a line through them."""
    return Chart(
        kind="points",
        label=label,
        data={"points": [list(each) for each in places], "line": line, "x": x, "unit": unit},
        columns=[x, unit],
        rows=[list(each) for each in places],
    )

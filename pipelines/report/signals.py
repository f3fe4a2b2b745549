"""The report's section on signals: how they lie in each source, and what other thresholds would keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from filters.quality import bad_words
from filters.quality.signals import SIGNALS as QUALITY_SIGNALS
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.surveyed import Surveyed, surveyed
from pipelines.stages.select import LANGUAGE_SCORE
from pipelines.stages.survey.otherwise import Limit, is_about, limits_of
from pipelines.stages.survey.survey import SIGNALS

DOCS = {name: signal.doc for name, signal in QUALITY_SIGNALS.items()} | {
    bad_words.SIGNAL.name: bad_words.SIGNAL.doc,
    LANGUAGE_SCORE: "How sure the model is of the language: the probability that it gives.",
}
MARKS = 32
"""Numbers of the survey's grid that are shown of a signal, besides those around thresholds."""
AROUND = 3
"""Numbers on both sides of a threshold that are shown."""
Values = npt.NDArray[np.float64]


def signal_reports(graph: Graph, done: Finished) -> list[dict[str, Any]]:
    """The signals of each source that is surveyed."""
    return [_source(each) for each in surveyed(graph, done)]


def _source(each: Surveyed) -> dict[str, Any]:
    groups, limits = each.groups(), limits_of(each.survey.select.source(each.source))
    cells = each.scan(SIGNALS).group_by(pl.col("signal").cast(pl.String), "low", "high")
    merged = cells.agg(pl.sum("documents", "otherwise_kept"), pl.min("smallest"), pl.max("largest")).collect(
        engine="streaming"
    )
    of_signals = merged.partition_by("signal", as_dict=True)
    return {
        "source": each.source,
        "documents": int(groups["documents"].sum()),
        "kept": int(groups.filter(pl.col("reason").is_null())["documents"].sum()),
        "about": is_about(each.survey.select),
        "signals": [
            signal_report(name, rules, of_signals.get((name,), merged.clear()))
            for name, rules in limits.items()
        ],
    }


def signal_report(name: str, rules: list[Limit], cells: pl.DataFrame) -> dict[str, Any]:
    """How a signal lies, from the rows that histograms of it have."""
    thresholds = [number for rule in rules for number in (rule.min, rule.max) if number is not None]
    valued = cells.filter(pl.col("low").is_not_nan())
    missing = cells.filter(pl.col("low").is_nan())
    shown = _coarser(valued, shown_marks(valued, thresholds))
    is_point = pl.col("low") == pl.col("high")
    points = shown.filter(is_point).drop("high").rename({"low": "value"})
    return {
        "signal": name,
        "doc": DOCS[name],
        "rules": [rule._asdict() for rule in rules],
        "points": _columns(points),
        "intervals": _columns(shown.filter(~is_point)),
        "missing": {
            "documents": int(missing["documents"].sum()),
            "otherwise_kept": int(missing["otherwise_kept"].sum()),
        },
        "smallest": _plain(valued["smallest"].min()),
        "largest": _plain(valued["largest"].max()),
    }


def shown_marks(cells: pl.DataFrame, thresholds: list[float]) -> Values:
    """Those numbers of the grid that are shown, ascending: zero and the thresholds, and where documents are.

    Half of the others part the documents evenly, and half the numbers that occur. So the figures of those
    that are shown stay exact, and a long tail takes little room.
    """
    ends = cells["high"].to_numpy()
    marks = np.unique(np.concatenate([cells["low"].to_numpy(), ends]))
    marks = marks[np.isfinite(marks)]
    if len(marks) == 0:
        return np.array(sorted(thresholds))
    documents = np.bincount(
        np.minimum(np.searchsorted(marks, ends), len(marks) - 1), cells["documents"].to_numpy(), len(marks)
    )
    share = np.cumsum(documents / documents.sum() + 1 / len(marks)) / 2
    chosen = np.diff(np.floor(share * MARKS), prepend=-1) > 0
    for threshold in thresholds:
        place = int(np.searchsorted(marks, threshold))
        chosen[max(0, place - AROUND) : place + AROUND + 1] = True
    return np.union1d(marks[chosen | (marks == 0)], thresholds)


def _coarser(cells: pl.DataFrame, marks: Values) -> pl.DataFrame:
    """The cells of a grid that has only these marks, ascending."""
    ends = np.concatenate([[-np.inf], marks, [np.inf]])
    low, high = cells["low"].to_numpy(), cells["high"].to_numpy()
    below = ends[np.searchsorted(ends, low, side="right") - 1]
    above = ends[np.searchsorted(ends, high, side="left")]
    merged = cells.with_columns(low=below, high=above).group_by("low", "high")
    return merged.agg(pl.sum("documents", "otherwise_kept")).sort("low", "high")


def _columns(cells: pl.DataFrame) -> dict[str, list[Any]]:
    return {name: [_plain(number) for number in cells[name]] for name in cells.columns}


def _plain(number: Any) -> Any:
    """A number as short as JSON has it; None for one that JSON has not."""
    if number is None or not np.isfinite(number):
        return None
    return int(number) if number == int(number) else number

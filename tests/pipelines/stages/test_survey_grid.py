"""The survey's grid puts each value where a search in sorted numbers does; what is shown of it is little."""

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.signals import signal_report
from pipelines.stages.survey.grid import Grid
from pipelines.stages.survey.histograms import histograms
from pipelines.stages.survey.otherwise import Limit, Otherwise

TWO_DIGITS = st.builds(
    lambda digits, exponent, sign: sign * float(f"{digits}e{exponent}"),
    st.integers(0, 99),
    st.integers(-11, 16),
    st.sampled_from([1, -1]),
)
VALUES = st.one_of(
    TWO_DIGITS,
    TWO_DIGITS.map(lambda number: float(np.nextafter(number, np.inf))),
    TWO_DIGITS.map(lambda number: float(np.nextafter(number, -np.inf))),
    st.floats(width=64),
    st.just(-0.0),
)


@given(values=st.lists(VALUES), thresholds=st.lists(st.floats(-1e6, 1e6), max_size=4), narrow=st.booleans())
def test_each_value_has_the_cell_of_its_bounds(values, thresholds, narrow):
    dtype = np.float32 if narrow else np.float64
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(dtype)
    grid = Grid.of(thresholds, dtype)
    assert set(thresholds) <= set(grid.marks.tolist()) and np.all(np.diff(grid.marks) > 0)
    cells = grid.cells(array)
    low, high = grid.bounds(cells)
    asked = np.isnan(array)
    assert np.all(cells[asked] == grid.missing) and np.all(np.isnan(low[asked]) & np.isnan(high[asked]))
    with np.errstate(over="ignore"):
        marks = grid.marks.astype(dtype)
    left, right = (np.searchsorted(marks, array[~asked], side=side) for side in ("left", "right"))
    ends = np.concatenate([[-np.inf], grid.marks, [np.inf]])
    is_point = left < right
    assert np.array_equal(low[~asked], np.where(is_point, ends[left + 1], ends[left]))
    assert np.array_equal(high[~asked], ends[left + 1])


def test_the_grid_has_all_numbers_of_two_digits():
    marks = set(Grid.of([]).marks.tolist())
    assert {0.0, 0.01, 0.12, 0.013, 50.0, 1_000.0, 99_000.0, 1e-9, -0.5} <= marks
    assert 0.123 not in marks and 0.123 in Grid.of([0.123]).marks


def test_a_signal_of_many_values_takes_little_room_and_its_figures_are_exact():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.exp(rng.normal(5, 2, 50_000)).round(), np.zeros(5_000), rng.random(20_000)])
    keep = rng.random(len(values)) < 0.7
    limits = {"words": [Limit("words.min", 50, None), Limit("words.max", None, 1234.5)]}
    found = histograms(limits, pa.table({"words": values}), Otherwise(keep, ~keep, {}))
    cells = pl.DataFrame(pl.from_arrow(found))
    shown = signal_report("words", limits["words"], cells)
    assert len(orjson.dumps(shown)) < 2_500 < len(cells) * 10
    points, intervals = shown["points"], shown["intervals"]
    assert sum(points["documents"]) + sum(intervals["documents"]) == len(values)
    for value, documents, kept in zip(*points.values(), strict=True):
        assert (documents, kept) == (np.sum(values == value), np.sum(keep & (values == value)))
    for low, high, documents, kept in zip(*intervals.values(), strict=True):
        inside = (values > low) & (values < high)
        assert (documents, kept) == (inside.sum(), np.sum(keep & inside))
    bounds = {*points["value"], *intervals["low"], *intervals["high"]}
    assert {0, 49, 50, 51, 1234.5} <= bounds

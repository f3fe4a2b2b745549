"""Histograms of the signals of a part's documents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.stages.survey.grid import Grid
from pipelines.stages.survey.otherwise import Limit, Otherwise

HISTOGRAMS = pa.schema(
    [
        ("signal", pa.dictionary(pa.int32(), pa.string())),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("documents", pa.int64()),
        ("otherwise_kept", pa.int64()),
        ("smallest", pa.float64()),
        ("largest", pa.float64()),
    ]
)
"""A row a cell that has documents: those whose value is `low` where `high` is the same, else those strictly
between; NaN where they have no value. `smallest` and `largest` are of all values of the signal, NaN where
there are none.
"""


def histograms(limits: dict[str, list[Limit]], table: pa.Table, otherwise: Otherwise) -> pa.Table:
    """The histogram of each signal (HISTOGRAMS), of those that `limits` has."""
    found = list(_histograms(limits, table, otherwise))
    return pa.concat_tables([HISTOGRAMS.empty_table(), *found]).unify_dictionaries().combine_chunks()


def _histograms(limits: dict[str, list[Limit]], table: pa.Table, otherwise: Otherwise) -> Iterator[pa.Table]:
    for signal, rules in limits.items():
        values = table.column(signal).to_numpy()
        thresholds = (number for rule in rules for number in (rule.min, rule.max) if number is not None)
        grid = Grid.of(thresholds, values.dtype)
        numbers = np.bincount(
            2 * grid.cells(values) + otherwise.kept(signal), minlength=2 * (grid.missing + 1)
        ).reshape(-1, 2)
        cells = np.flatnonzero(numbers.any(axis=1))
        ends = [float(end.reduce(values, initial=np.nan, dtype=np.float64)) for end in (np.fmin, np.fmax)]
        yield pa.table(
            [
                pa.array([signal] * len(cells), pa.string()).dictionary_encode(),
                *grid.bounds(cells),
                numbers[cells].sum(axis=1),
                numbers[cells, 1],
                *(np.full(len(cells), end, np.float64) for end in ends),
            ],
            schema=HISTOGRAMS,
        )

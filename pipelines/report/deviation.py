"""How far the groups of a mixture are from their quotas after each of its rows, as a curve of few points."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixers.ledger import Ledger
from pipelines.execution.output import arrow_tables
from pipelines.execution.spill import recut
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.stages.mix import ROWS

POINTS = 300

Rows = npt.NDArray[np.int64]
Groups = npt.NDArray[np.unsignedinteger[Any]]
Shares = npt.NDArray[np.float64]


def deviations(graph: Graph, done: Finished) -> dict[str, dict[str, Any]]:
    """Of each mixture with quotas that is planned the curve, in the unit of its ledger."""
    found = {}
    for name, mix in graph.mixes.items():
        if mix in done and (ledger := mix.ledger(done.workdir)).total is not None:
            found[name] = deviation(ledger, mix.path(done.workdir, ROWS))
    return found


def deviation(ledger: Ledger, rows: Path) -> dict[str, Any]:
    """The curve of a mixture.

    After rows that amount to T in all, a group that has given g deviates by ``g - T * quota / total``, as in
    the ledger. There are at most `POINTS` points, or one more than groups if these are more: of each of so
    many stretches of rows the one at which any group is furthest from its quota, and of each group the one at
    which it is. So each group's largest distance on the curve is that of the ledger.

    Args:
        ledger: The mixture's account, with a quota for each group.
        rows: The Arrow file of its rows, in training order: `group`, and what each gives in both units.

    Returns:
        `unit`, `sequence_length`, `rows`, and `points`: how many rows have come (`row`), and what each of
        `groups` has given above its quota, or, negative, below it.
    """
    names = [entry.group for entry in ledger.groups]
    quotas = np.array([entry.quota.quota if entry.quota else 0 for entry in ledger.groups], np.int64)
    shares = quotas / max(int(quotas.sum()), 1)
    stretches = min(ledger.rows, max(POINTS - len(names), 1))
    bounds = [ledger.rows * number // max(stretches, 1) for number in range(stretches + 1)]
    chosen = _furthest_rows(_stretches(rows, bounds, names, ledger.unit), shares)
    given = np.zeros(len(names), np.int64)
    points = []
    for row, (group, amount) in zip(chosen, _stretches(rows, [0, *chosen], names, ledger.unit), strict=True):
        given += np.bincount(group, amount, len(names)).astype(np.int64)
        strayed = (given - shares * given.sum()).tolist()
        points.append({"row": row, "groups": dict(zip(names, strayed, strict=True))})
    return {
        "unit": ledger.unit,
        "sequence_length": ledger.sequence_length,
        "rows": ledger.rows,
        "points": points,
    }


def _stretches(rows: Path, bounds: list[int], names: list[str], unit: str) -> Iterator[tuple[Groups, Rows]]:
    """For each row between two bounds the position of its group in `names`, and what it gives."""
    for table in recut(arrow_tables(rows), (stop - start for start, stop in pairwise(bounds))):
        groups = [np.empty(0, np.min_scalar_type(len(names)))]
        for chunk in table.column("group").chunks:
            positions = [names.index(name) for name in chunk.dictionary.to_pylist()]
            groups.append(np.array(positions, groups[0].dtype)[chunk.indices.to_numpy()])
        yield np.concatenate(groups), table.column(unit).to_numpy().astype(np.int64)


def _furthest_rows(stretches: Iterator[tuple[Groups, Rows]], shares: Shares) -> list[int]:
    """How many rows have come at the points of the curve, ascending."""
    given = np.zeros(len(shares), np.int64)
    distances, rows = np.full(len(shares), -1.0), np.zeros(len(shares), np.int64)
    chosen: set[int] = set()
    first = 0
    for group, amount in stretches:
        totals = given.sum() + np.cumsum(np.concatenate([[0], amount]))
        ends = np.cumsum(np.bincount(group, minlength=len(shares)))
        owned = np.split(np.argsort(group, kind="stable"), ends[:-1])
        found = [
            _furthest(own, amount[own], before, share, totals)
            for own, before, share in zip(owned, given.tolist(), shares.tolist(), strict=True)
        ]
        here, places = (np.array(each) for each in zip(*found, strict=True))
        chosen.add(first + int(places[here.argmax()]))
        further = here > distances
        distances[further], rows[further] = here[further], first + places[further]
        given += np.bincount(group, amount, len(shares)).astype(np.int64)
        first += len(group)
    return sorted(chosen.union(rows[rows > 0].tolist()))


def _furthest(own: Rows, amount: Rows, before: int, share: float, totals: Rows) -> tuple[float, int]:
    """The largest distance of a group from its quota within a stretch, and how many rows have come there.

    A group strays one way with each row of its own and the other way with all others, so it is furthest after
    a row of its own, before one, or at the end.

    Args:
        own: Places of its rows in the stretch, ascending.
        amount: What each of them gives.
        before: What it gave before the stretch.
        share: Its share of the quotas.
        totals: Shape (rows + 1); what all groups have given before each row, and after the last.
    """
    after = before + np.cumsum(amount)
    given = np.concatenate([after, after - amount, after[-1:] if len(own) else [before]])
    come = np.concatenate([own + 1, own, [len(totals) - 1]])
    distances = np.where(come > 0, np.abs(given - share * totals[come]), -1.0)
    best = int(distances.argmax())
    return float(distances[best]), int(come[best])

"""The curve of deviations from quotas has the ledger's largest ones, and follows the shards' rows."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixers.budget import Mixture
from mixers.ledger import Ledger
from mixers.plan import MixturePlan, plan_mixture
from mixers.shards import Shards
from pipelines.report.deviation import POINTS, deviation


def curve_of(plan: MixturePlan, rows_a_batch: int):
    """The curve of a plan whose rows are in batches of some length."""
    batches = [plan.rows_between(start, start + rows_a_batch) for start in range(0, len(plan), rows_a_batch)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.arrow"
        with pa.ipc.new_file(path, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch.combine_chunks().to_batches()[0])
        return deviation(plan.ledger, path)


def strayed(ledger: Ledger, groups, amounts):
    """Shape (rows, groups): how far each group is from its quota after each row."""
    names = [entry.group for entry in ledger.groups]
    given = np.cumsum(
        [[amount * (group == name) for name in names] for group, amount in zip(groups, amounts, strict=True)],
        axis=0,
    )
    shares = np.array([entry.quota.quota for entry in ledger.groups]) / ledger.total
    return given - shares * given.sum(axis=1)[:, None]


def check(curve, ledger: Ledger, groups, amounts):
    """The curve is of these rows, and each group's largest distance is on it."""
    assert (curve["unit"], curve["rows"]) == (ledger.unit, ledger.rows)
    assert len(curve["points"]) <= max(POINTS, len(ledger.groups) + 1)
    places = [point["row"] - 1 for point in curve["points"]]
    assert places == sorted(set(places))
    points = np.array([list(point["groups"].values()) for point in curve["points"]])
    assert np.array_equal(points, strayed(ledger, groups, amounts)[places])
    for entry, values in zip(ledger.groups, points.T, strict=True):
        assert np.abs(values).max() == entry.quota.largest_prefix_deviation


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.lists(st.integers(2, 90), min_size=1, max_size=60), min_size=1, max_size=5),
    weights=st.lists(st.integers(1, 9), min_size=5, max_size=5),
    unit=st.sampled_from(["tokens", "loss_tokens"]),
    tokens=st.integers(100, 30_000),
    rows_a_batch=st.integers(1, 400),
    seed=st.integers(0, 99),
)
def test_the_largest_deviations_are_on_the_curve(lengths, weights, unit, tokens, rows_a_batch, seed):
    groups = [f"g{number}" for number, of_group in enumerate(lengths) for _ in of_group]
    documents = pa.table(
        {
            "group": groups,
            "tokens": (each := np.concatenate(lengths)),
            "bytes": each,
            "indivisible": np.zeros(len(each), bool),
        }
    )
    asked = {f"g{number}": weight for number, weight in enumerate(weights[: len(lengths)])}
    mixture = Mixture(tokens=tokens, unit=unit, sequence_length=32, weights=asked, on_shortage="repeat")
    plan = plan_mixture(documents, mixture, seed)
    rows = plan.rows
    check(curve_of(plan, rows_a_batch), plan.ledger, rows["group"].to_pylist(), rows[unit].to_pylist())


def test_a_stage_of_many_rows_has_few_points():
    mixture = Mixture(tokens=100_000, sequence_length=16, weights={"a": 5, "b": 1}, on_shortage="repeat")
    lengths = np.random.default_rng(4).integers(2, 40, 300)
    documents = pa.table(
        {
            "group": ["a", "b"] * 150,
            "tokens": lengths,
            "bytes": lengths,
            "indivisible": np.zeros(300, bool),
        }
    )
    plan = plan_mixture(documents, mixture, 0)
    curve = curve_of(plan, 1000)
    assert 200 < len(curve["points"]) <= POINTS < len(plan) / 10
    check(curve, plan.ledger, plan.rows["group"].to_pylist(), plan.rows["tokens"].to_pylist())


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_the_report_follows_the_shards(finished, stage):
    report = json.loads((finished / "report.json").read_text())
    assert set(report["deviation"]) == {"stage1", "stage2"}
    shards = Shards.open(finished / "shards" / stage)
    check(report["deviation"][stage], shards.ledger, shards.row_groups, shards.row_lengths)

"""How sure evaluations during training are: standard errors over documents, also of the change so far."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from trainers.scores import PIECES, Evaluation
from trainers.start_scores import START_SCORES, nats_at_start


def pieces_of(nats: np.ndarray, group: str = "web", documents: int | None = None) -> pa.Table:
    """A piece of 50 tokens and 200 bytes for each of `nats`, spread over so many documents."""
    count = len(nats)
    columns = {
        "doc_id": [f"d{number % (documents or count)}" for number in range(count)],
        "first_token": [0] * count,
        "cluster": [f"d{number}" for number in range(count)],
        "group": [group] * count,
        "language": [None] * count,
        "nats": nats,
        "predicted": [50] * count,
        "tokens": [50] * count,
        "bytes": [200] * count,
    }
    return pa.table({name: pa.array(column, PIECES.field(name).type) for name, column in columns.items()})


def spread_of(pieces: pa.Table, start: np.ndarray | None = None):
    return Evaluation.of(pieces, 3, 1.0).with_spread(pieces, start).spread["web"]


def test_the_error_is_that_of_a_mean_where_all_documents_are_as_long() -> None:
    nats = np.random.default_rng(1).gamma(9.0, 15.0, 400)
    bits = nats / math.log(2) / 200  # of each document, per byte
    found = spread_of(pieces_of(nats))
    assert found.documents == 400 and found.change_error is None
    assert found.error == pytest.approx(bits.std(ddof=1) / math.sqrt(400), rel=1e-6)


def test_a_change_is_surer_than_either_score() -> None:
    rng = np.random.default_rng(2)
    start = rng.gamma(9.0, 15.0, 100)
    now = start * 1.1 + rng.normal(0, 0.5, 100)
    found = spread_of(pieces_of(now), start)
    change = (now - start) / math.log(2) / 200
    assert found.change_error == pytest.approx(change.std(ddof=1) / math.sqrt(100), rel=1e-6)
    assert found.change_error < found.error / 5


def test_pieces_of_one_document_belong_together() -> None:
    nats = np.repeat([50.0, 150.0], 20)[np.arange(40).reshape(2, 20).T.ravel()]
    assert spread_of(pieces_of(nats, documents=2)).documents == 2
    assert spread_of(pieces_of(nats, documents=1)).error is None
    assert spread_of(pieces_of(nats, documents=2)).error > 5 * spread_of(pieces_of(nats)).error


def test_evaluations_without_it_are_read_still() -> None:
    pieces = pieces_of(np.array([10.0, 20.0]))
    evaluation = Evaluation.of(pieces, 3, 1.0).with_spread(pieces, None)
    assert Evaluation.from_json(evaluation.to_json()) == evaluation
    old = {name: value for name, value in evaluation.to_json().items() if "spread" not in name}
    assert Evaluation.from_json(old) == Evaluation.of(pieces, 3, 1.0)


def test_the_start_is_kept_for_a_run_that_goes_on(tmp_path: Path) -> None:
    nats = np.array([1.0, 2.5])
    assert nats_at_start(tmp_path, nats, 0, writes=False) is nats
    assert nats_at_start(tmp_path, nats, 4, writes=True) is None
    nats_at_start(tmp_path, nats, 0, writes=True)
    np.testing.assert_array_equal(nats_at_start(tmp_path, nats * 2, 4, writes=True), nats)
    assert nats_at_start(tmp_path, np.zeros(3), 4, writes=True) is None, "of other shards"
    (tmp_path / START_SCORES).write_bytes(b"\x93NUMPY torn")
    assert nats_at_start(tmp_path, nats, 4, writes=True) is None

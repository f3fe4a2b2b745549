"""Scores of two runs: paired on the documents that both evaluated, and no others."""

import math
from dataclasses import asdict

import pyarrow as pa
import pytest

from pipelines.evaluation.compare import compare
from pipelines.execution.trained_stage import TrainedStage
from pipelines.report.comparison.scores import score_differences
from trainers.scores import PIECES


def pieces(documents: range, nats: float) -> pa.Table:
    """Two pieces of each document; each has ten tokens and forty bytes."""
    rows = [(number, piece) for number in documents for piece in range(2)]
    return pa.table(
        {
            "doc_id": [f"d{number}" for number, _ in rows],
            "first_token": [10 * piece for _, piece in rows],
            "cluster": [f"d{number}" for number, _ in rows],
            "group": ["law" if number % 2 else "web" for number, _ in rows],
            "language": [None for _ in rows],
            "nats": [nats * (1 + number % 7) for number, _ in rows],
            "predicted": [10 for _ in rows],
            "tokens": [10 for _ in rows],
            "bytes": [40 for _ in rows],
        },
        schema=PIECES,
    )


def evaluated(folder, documents, nats):
    table = pieces(documents, nats)
    scores = {"comparison": asdict(compare({"model": table}))}
    folder.mkdir()
    TrainedStage(folder, "stage1").write_scores(scores, {"model": table})
    return {"evaluation": {"stage1": scores}}


def test_models_are_compared_on_the_documents_that_both_evaluated(tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    a, b = evaluated(folders[0], range(0, 100), 4.0), evaluated(folders[1], range(40, 140), 3.9)
    found = {score["group"]: score for score in score_differences(a, b, folders)}
    assert set(found) == {"web", "law", "all"}
    common = range(40, 100)
    nats = sum(2 * (1 + number % 7) for number in common)
    expected = (3.9 - 4.0) * nats / math.log(2) / (80 * len(common))
    paired = found["all"]["paired"]
    assert paired["documents"] == len(common)
    assert paired["delta"] == pytest.approx(expected)
    assert paired["interval"][0] < expected < paired["interval"][1] < 0
    assert found["all"]["overlap"] is True


def test_without_common_documents_nothing_is_paired(tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    a, b = evaluated(folders[0], range(0, 40), 4.0), evaluated(folders[1], range(40, 80), 1.0)
    found = {score["group"]: score for score in score_differences(a, b, folders)}
    assert found["all"]["paired"] is None
    assert found["all"]["overlap"] is False

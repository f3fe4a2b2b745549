"""Curves of training: what the metrics log says, thinned honestly, torn or not, and how sure it is."""

import json
import math
from itertools import pairwise
from operator import mul
from pathlib import Path

import pytest

from pipelines.execution.trained_stage import TrainedStage
from pipelines.report.training_curves import MOST_POINTS, training_curve
from trainers.metrics_log import MetricsLog
from trainers.scores import Evaluation, GroupScore, Spread


def stage_of(tmp_path: Path, steps: int) -> tuple[TrainedStage, MetricsLog]:
    """A stage under way; of 100 tokens a step, in half a second each, in a second from step 6 on."""
    stage = TrainedStage(tmp_path, "stage1")
    stage.folder.mkdir(parents=True)
    log = MetricsLog(stage.folder / "metrics.jsonl", writes=True)
    for step in range(1, steps + 1):
        speed = 200.0 if step < 6 else 100.0
        log.add_step(step, loss=10.0 / step, lr=step * 1e-3, tokens=100 * step, tokens_per_second=speed)
    return stage, log


def evaluation(step: int, bits: float, spread: Spread | None) -> Evaluation:
    score = GroupScore(bits * math.log(2) * 4, bits, 900, 1000, 4000)
    return Evaluation(step, 1.0, score, {"web": score}, {}, {}, {"web": spread} if spread else {}, spread)


def test_each_step_is_a_point_where_there_are_few(tmp_path):
    stage, _ = stage_of(tmp_path, 10)
    curve = training_curve(stage)
    assert curve["steps"] == list(range(1, 11)) and curve["steps_per_point"] == 1
    assert curve["loss"] == [10.0 / step for step in range(1, 11)]
    assert curve["learning_rate"] == pytest.approx([step * 1e-3 for step in range(1, 11)])
    assert curve["tokens_per_second"] == pytest.approx([200.0] * 5 + [100.0] * 5)
    assert curve["mfu"] is None and curve["groups"] == {} and curve["total"] is None


def test_many_steps_are_thinned_by_mean(tmp_path):
    stage, _ = stage_of(tmp_path, 2 * MOST_POINTS + 1)
    curve = training_curve(stage)
    assert curve["steps_per_point"] == 3 and len(curve["steps"]) == 334 <= MOST_POINTS
    assert curve["steps"][:2] == [3, 6] and curve["steps"][-1] == 2 * MOST_POINTS + 1
    assert curve["loss"][1] == pytest.approx((10 / 4 + 10 / 5 + 10 / 6) / 3)
    assert curve["tokens_per_second"][1] == pytest.approx(300 / (0.5 + 0.5 + 1))
    assert curve["loss"][-1] == pytest.approx((10 / 1000 + 10 / 1001) / 2)


@pytest.mark.parametrize("steps", [1, MOST_POINTS - 1, MOST_POINTS, MOST_POINTS + 1, 1499])
def test_thinning_neither_loses_nor_moves_a_step(tmp_path, steps):
    stage, _ = stage_of(tmp_path, steps)
    curve = training_curve(stage)
    sizes = [last - before for before, last in pairwise([0, *curve["steps"]])]
    assert len(sizes) <= MOST_POINTS and curve["steps"][-1] == steps
    assert set(sizes[:-1]) <= {curve["steps_per_point"]} and sizes[-1] <= curve["steps_per_point"]
    whole = sum(10.0 / step for step in range(1, steps + 1))
    assert sum(map(mul, sizes, curve["loss"])) == pytest.approx(whole)
    seconds = sum(100 * size / speed for size, speed in zip(sizes, curve["tokens_per_second"], strict=True))
    assert seconds == pytest.approx(sum(0.5 if step < 6 else 1.0 for step in range(1, steps + 1)))


@pytest.mark.parametrize("torn", [b'{"step": 11, "lo', b"\xff\xfe", b""])
def test_a_torn_last_line_is_no_harm(tmp_path, torn):
    stage, _ = stage_of(tmp_path, 10)
    with (stage.folder / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    assert training_curve(stage)["steps"] == list(range(1, 11))


def test_without_a_log_or_steps_there_is_little(tmp_path):
    stage, log = stage_of(tmp_path, 0)
    assert training_curve(stage) is None
    log.add_evaluation(evaluation(0, 1.0, None))
    curve = training_curve(stage)
    assert curve["steps"] == [] == curve["tokens_per_second"]
    assert curve["groups"]["web"]["change"] == {"bits_per_byte": None, "interval": None}


def test_intervals_are_those_of_students_t(tmp_path):
    stage, log = stage_of(tmp_path, 4)
    log.add_evaluation(evaluation(0, 1.0, Spread(20, 0.1, 0.0)))
    log.add_evaluation(evaluation(4, 1.2, Spread(20, 0.1, 0.01)))
    web = training_curve(stage)["groups"]["web"]
    t = 2.0930  # of 19 degrees of freedom, from tables
    assert web["step"] == [0, 4] and web["bits_per_byte"] == [1.0, 1.2] and web["documents"] == 20
    assert web["interval"][1] == pytest.approx((1.2 - t * 0.1, 1.2 + t * 0.1), abs=1e-4)
    assert web["change"]["bits_per_byte"] == pytest.approx(0.2)
    assert web["change"]["interval"] == pytest.approx((0.2 - t * 0.01, 0.2 + t * 0.01), abs=1e-4)


def test_few_documents_and_old_logs_have_no_interval(tmp_path):
    stage, log = stage_of(tmp_path, 4)
    log.add_evaluation(evaluation(0, 1.0, None))
    log.add_evaluation(evaluation(4, 1.2, Spread(19, 0.1, 0.01)))
    web = training_curve(stage)["groups"]["web"]
    assert web["interval"] is None and web["change"]["interval"] is None
    assert web["change"]["bits_per_byte"] == pytest.approx(0.2)


def test_a_trained_run_shows_its_curve_and_its_lineage(coupage, run_copy):
    coupage("train", run_copy, "--set", "train.stage1.max_steps=6")
    report = json.loads((run_copy / "report.json").read_text())
    training, lineage = report["training"]["stage1"], report["lineage"]
    lines = [json.loads(line) for line in (run_copy / "train/stage1/metrics.jsonl").read_text().splitlines()]
    curve = training["curve"]
    assert curve["loss"] == [line["loss"] for line in lines if "loss" in line]
    scores = [line["evaluation"]["groups"]["web"] for line in lines if "evaluation" in line]
    assert curve["groups"]["web"]["bits_per_byte"] == [score["bits_per_byte"] for score in scores]
    assert curve["groups"]["web"]["documents"] > 1 and report["training_unfinished"] == {}
    (run_copy / "train/stage1").rename(run_copy / "train/stage2")
    (run_copy / "train/stage2/training.json").unlink()
    report = json.loads(coupage("report", run_copy, "--json").stdout)
    assert report["training"] == {} and report["training_unfinished"]["stage2"]["loss"] == curve["loss"]
    kinds = [each["kind"] for each in report["warnings"]]
    assert "training_unfinished" in kinds and "torch" in lineage["packages"]

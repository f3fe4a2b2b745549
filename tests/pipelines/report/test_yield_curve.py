"""Scores over synthetic tokens: which points there are, and the line through them."""

import json
import math
import shutil

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.execution.trained_stage import TrainedStage
from pipelines.report.log_linear import fit
from pipelines.report.page.charts import yield_chart
from pipelines.report.yield_curve import BITS, Curve, Point

TOKENS = st.lists(st.integers(1, 10**12), min_size=3, max_size=30, unique=True)
NUMBERS = st.floats(-100, 100)


@given(TOKENS, NUMBERS, NUMBERS)
def test_exact_points_give_their_line_back(tokens, a, b):
    spread = math.log(max(tokens)) - math.log(min(tokens))
    if spread < 0.1:
        return
    found = fit(tokens, [a + b * math.log(x) for x in tokens])
    assert found.points == len(tokens)
    assert found.b == pytest.approx(b, abs=1e-9) and found.a == pytest.approx(a, abs=1e-7)
    low, high = found.b_interval
    assert low <= found.b <= high and high - low < 1e-6
    assert found.at(tokens[0]) == pytest.approx(a + b * math.log(tokens[0]), abs=1e-8)


@given(st.lists(st.tuples(st.sampled_from([0, 7, 9]), NUMBERS), max_size=8))
def test_fewer_than_three_numbers_of_tokens_give_no_line(points):
    assert fit([x for x, _ in points], [y for _, y in points]) is None


@given(TOKENS, st.integers(0, 2**32))
def test_the_line_is_that_of_numpy(tokens, seed):
    scores = np.random.default_rng(seed).normal(size=len(tokens)).tolist()
    x = np.log(tokens)
    if np.ptp(x) < 0.1:
        return
    found = fit([0, *tokens], [99.0, *scores])
    b, a = np.polyfit(x, scores, 1)
    assert (found.a, found.b) == (pytest.approx(a, abs=1e-6), pytest.approx(b, abs=1e-6))
    assert found.r_squared == pytest.approx(np.corrcoef(x, scores)[0, 1] ** 2, abs=1e-6)


def test_scores_that_never_change_have_a_flat_line_that_explains_nothing():
    found = fit([1, 10, 100], [2.0, 2.0, 2.0])
    assert (found.b, found.r_squared) == (0, None)


def test_the_interval_of_the_slope_covers_it_in_19_of_20_cases():
    rng = np.random.default_rng(1)
    tokens = [100, 1_000, 5_000, 20_000]
    covered = 0
    for _ in range(2_000):
        low, high = fit(tokens, [3 - 0.2 * math.log(x) + rng.normal(0, 0.1) for x in tokens]).b_interval
        covered += low <= -0.2 <= high
    assert 0.93 < covered / 2_000 < 0.97


@given(st.lists(st.tuples(st.integers(0, 10**9), NUMBERS), max_size=12))
def test_a_picture_holds_all_its_points(pairs):
    curve = Curve("law", BITS, [Point("stage1", n, *pair) for n, pair in enumerate(pairs)]).to_json()
    drawn = yield_chart(curve)
    with_tokens = [pair for pair in pairs if pair[0]]
    if len({tokens for tokens, _ in with_tokens}) < 2:
        assert drawn is None
        return
    assert drawn.data["points"] == drawn.rows == [list(pair) for pair in with_tokens]
    ends = [tokens for tokens, _ in drawn.data["line"] or ()]
    assert ends in ([], [min(with_tokens)[0], max(with_tokens)[0]])


def curves(run, *stages):
    found = json.loads((run / "report.json").read_text())["yield_curves"]
    (model,) = (each for each in found if each["stages"] == list(stages))
    return model, {(curve["score"], curve["unit"]): curve for curve in model["curves"]}


def test_points_are_the_evaluations_over_the_synthetic_tokens_trained_until_then(told):
    model, by_score = curves(told, "stage1", "stage2")
    assert model["one_model"]
    result = TrainedStage(told, "stage2").result
    segments = pq.read_table(told / "shards" / "stage2" / "segments.parquet")
    synthetic = segments.filter(pc.starts_with(segments["doc_id"], "questions/"))
    for group in ("law", "prose"):
        points = by_score[group, BITS]["points"]
        of_stage2 = [point for point in points if point["stage"] == "stage2"]
        assert all(point["synthetic_tokens"] == 0 for point in points if point["stage"] == "stage1")
        evaluations = result["evaluations"][1:]  # the start of stage 2 is the end of stage 1
        assert [point["step"] for point in of_stage2] == [each["step"] for each in evaluations]
        for point, evaluation in zip(of_stage2, evaluations, strict=True):
            assert point["score"] == evaluation["groups"][group]["bits_per_byte"]
            rows_trained = min(2 * point["step"], result["rows"])
            trained = synthetic.filter(pc.less(synthetic["row"], rows_trained))
            assert point["synthetic_tokens"] == pc.sum(trained["tokens"]).as_py() > 0
    line = by_score["law", BITS]["fit"]
    assert line["b_interval"][0] <= line["b"] <= line["b_interval"][1]
    assert any("no more than that" in note for note in model["notes"])


def test_the_page_has_a_table_and_a_picture_of_each(told):
    page = (told / "report.html").read_text()
    models = json.loads((told / "report.json").read_text())["yield_curves"]
    tokens = [
        [point["synthetic_tokens"] for point in curve["points"] if point["synthetic_tokens"]]
        for model in models
        for curve in model["curves"]
    ]
    drawn = [each for each in tokens if len(set(each)) > 1]
    assert len(drawn) > 3 and page.count('<figure class="chart" data-kind="points">') == len(drawn)


def test_benchmarks_are_points_at_the_ends_of_stages(told, tmp_path, coupage):
    run = shutil.copytree(told, tmp_path / "run", symlinks=True)
    for stage, score in (("stage1", 0.25), ("stage2", 0.5)):
        task = {"metrics": {"acc": score}, "errors": {}, "questions": 4, "num_fewshot": 0, "parts": {}}
        scores = {"model": {"name": "m", "harness": {"exam": task}}}
        TrainedStage(run, stage).write_scores(scores, {})
    coupage("report", run)
    _, by_score = curves(run, "stage1", "stage2")
    exam = by_score["exam", "acc"]
    last = by_score["law", BITS]["points"][-1]
    assert [(p["stage"], p["score"]) for p in exam["points"]] == [("stage1", 0.25), ("stage2", 0.5)]
    assert [p["synthetic_tokens"] for p in exam["points"]] == [0, last["synthetic_tokens"]]
    assert exam["fit"] is None and "no fit" in (run / "report.html").read_text()


def test_of_a_stage_that_was_trained_on_earlier_shards_nothing_is_claimed(
    told, told_recipe, tmp_path, coupage
):
    run = shutil.copytree(told, tmp_path / "run", symlinks=True)
    coupage("run", told_recipe, "--workdir", run, "--set", "mixtures.stage2.tokens=3k")
    model, by_score = curves(run, "stage1", "stage2")
    assert {p["stage"] for curve in by_score.values() for p in curve["points"]} == {"stage1"}
    assert "stage2: trained on earlier shards" in model["notes"][0]
    model, by_score = curves(run, "stage2", "more")
    assert {p["stage"] for curve in by_score.values() for p in curve["points"]} == {"more"}
    assert "stage2: trained on earlier shards" in model["notes"][0]


def test_models_from_one_start_are_points_of_one_curve(told):
    model, by_score = curves(told, "stage2", "more")
    assert not model["one_model"] and "learning rates" in model["notes"][-1]
    for group in ("law", "prose", "all"):
        ends = [curves(told, "stage1", name)[1][group, BITS]["points"][-1] for name in ("stage2", "more")]
        assert by_score[group, BITS]["points"] == ends
        assert ends[0]["synthetic_tokens"] != ends[1]["synthetic_tokens"]

"""The recipe's `evaluate`: after training, beside what it started from, kept in the run and its report."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

TASK = """\
task: our_exam
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: [ "yes", "no"]
doc_to_target: 0
metric_list: [{{metric: acc}}]
"""


@pytest.fixture(scope="module")
def evaluated(coupage, recipe, finished, tmp_path_factory):
    """A run whose Stage 1 is trained and evaluated."""
    folder = tmp_path_factory.mktemp("evaluated")
    run = shutil.copytree(finished, folder / "run", symlinks=True)
    (folder / "tasks").mkdir()
    data = folder / "tasks" / "exam.jsonl"
    data.write_text("".join(json.dumps({"question": f"Is {n} a number?"}) + "\n" for n in range(8)))
    (folder / "tasks" / "exam.yaml").write_text(TASK.format(data=data))
    asked = "evaluate={harness: [{task: our_exam, limit: 3}], include: [tasks], after: [stage1]}"
    coupage("run", recipe, "--workdir", run, "--set", asked, cwd=folder)
    short = "train.stage1.max_steps=3"
    shown = coupage("train", run, "--stage", "stage1", "--set", short, cwd=folder).stdout
    assert "our_exam" in shown and "Held-out documents" in shown
    return run


def test_scores_are_kept_in_the_run_and_its_report(coupage, evaluated):
    scores = json.loads((evaluated / "evaluate" / "stage1.json").read_text())["model"]
    assert scores["harness"]["our_exam"]["questions"] == 3
    trained = json.loads((evaluated / "train" / "stage1" / "training.json").read_text())["evaluations"][-1]
    for group, score in trained["groups"].items():
        assert scores["groups"][group]["loss"] == pytest.approx(score["loss"], rel=1e-3)
        of_languages = scores["group_languages"][group].values()
        assert sum(score["tokens"] for score in of_languages) == scores["groups"][group]["tokens"]
    reported = json.loads((evaluated / "report.json").read_text())["evaluation"]["stage1"]["model"]
    assert reported == scores | {"of_these_shards": True}
    assert "our_exam" in (evaluated / "report.html").read_text()
    coupage("verify", evaluated)


def test_scores_of_pieces_are_kept_beside_them_and_sealed(coupage, evaluated):
    pieces = pq.read_table(evaluated / "evaluate" / "stage1.parquet")
    scores = json.loads((evaluated / "evaluate" / "stage1.json").read_text())
    assert set(pieces["model"].to_pylist()) == {"model"}
    total = scores["comparison"]["total"]
    assert total["documents"] == len(set(pieces["doc_id"].to_pylist()))
    assert total["scores"]["model"]["tokens"] == sum(pieces["tokens"].to_pylist())
    low, high = total["scores"]["model"]["interval"]
    assert low < scores["model"]["total"]["bits_per_byte"] < high
    for name in ("report.html", "README.md"):
        page = (evaluated / name).read_text()
        assert f"{low:.3f} to {high:.3f}" in page and "by resampling documents" in page
    whole = (evaluated / "evaluate" / "stage1.parquet").read_bytes()
    (evaluated / "evaluate" / "stage1.parquet").write_bytes(whole[:-1] + b"?")
    assert "stage1.parquet" in coupage("verify", evaluated, code=1).stderr
    (evaluated / "evaluate" / "stage1.parquet").write_bytes(whole)
    coupage("verify", evaluated)


def test_stage_2_of_a_new_model_stands_beside_stage_1(coupage, evaluated):
    shutil.copytree(evaluated / "train" / "stage1", evaluated / "train" / "stage2")
    found = json.loads(coupage("evaluate", evaluated, "--limit", 2, "--json", cwd=evaluated.parent).stdout)
    kept = json.loads((evaluated / "evaluate" / "stage1.json").read_text())["model"]
    assert found["base"]["name"] == kept["name"] != found["model"]["name"]
    assert found["base"]["total"]["loss"] == pytest.approx(kept["total"]["loss"])
    assert found["model"]["harness"]["our_exam"]["questions"] == 2


def test_a_missing_task_is_told_before_training(coupage, evaluated):
    refused = coupage("train", evaluated, "--stage", "stage1", "--resume", cwd=evaluated, code=2)
    assert "tasks is not a folder" in refused.stderr

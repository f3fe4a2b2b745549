"""`report` and `inspect` while a run is on its way: what there is, and what comes next."""

import json

import pytest

from mixers.shards import Shards
from pipelines.execution.trained_stage import TrainedStage
from tests.pipelines.corpus import write_recipe


@pytest.fixture
def stopped(coupage, recipe, tmp_path):
    """A run that was stopped after a stage."""

    def run(until: str, *more: object, code: int = 0):
        coupage("run", recipe, "--workdir", tmp_path / "run", "--until", until, *more, code=code)
        return tmp_path / "run"

    return run


def test_before_the_verdicts_the_missing_stage_is_named(coupage, stopped):
    run = stopped("ingest")
    refused = coupage("inspect", run, code=1).stderr
    assert "`select documents` is not finished yet" in refused and "comes next" in refused
    assert "--until select" in refused and "Traceback" not in refused
    report = json.loads(coupage("report", run, "--json").stdout)
    web = next(source for source in report["sources"] if source["source"] == "web")
    assert (web["records"], web["documents"], web["kept"], web["dropped"]) == (400, 400, None, {})
    assert report["mixtures"] == {} and report["tokenizer"] is None
    assert report["unfinished"]["next_stage"] == next(
        s["stage"] for s in report["stages"] if not s["finished"]
    )


def test_after_select_documents_and_the_funnel_are_shown(coupage, stopped, finished):
    run = stopped("select")
    found = json.loads(coupage("inspect", run, "--reason", "gopher", "-n", 3, "--json").stdout)
    assert found == json.loads(coupage("inspect", finished, "--reason", "gopher", "-n", 3, "--json").stdout)
    coupage("report", run)
    report, whole = (json.loads((folder / "report.json").read_text()) for folder in (run, finished))
    assert report["sources"] == whole["sources"] and report["rules"] == whole["rules"]
    assert report["unfinished"]["finished_stages"] == sum(stage["finished"] for stage in report["stages"])
    assert whole["unfinished"] is None
    for page in ("report.html", "README.md"):
        assert "This run is unfinished" in (run / page).read_text()
        assert "This run is unfinished" not in (finished / page).read_text()


def test_a_run_that_goes_on_is_reported_as_finished(coupage, stopped, recipe):
    run = stopped("select")
    coupage("report", run)
    coupage("run", recipe, "--workdir", run)
    assert json.loads((run / "report.json").read_text())["unfinished"] is None
    coupage("verify", run)


def test_other_settings_are_looked_at_before_they_are_built(coupage, recipe, run_copy):
    strict = ["--set", "curate.rules.0.thresholds.gopher_quality.min_words=200"]
    before = json.loads(coupage("report", run_copy, "--json").stdout)
    coupage("run", recipe, "--workdir", run_copy, "--until", "select", *strict)
    report = json.loads(coupage("report", run_copy, "--json").stdout)
    few, many = (
        sum(source["kept"] for source in each["sources"] if source["source"] == "web")
        for each in (report, before)
    )
    assert few < many and report["unfinished"]
    found = json.loads(coupage("inspect", run_copy, "--reason", "gopher_quality.min_words", "--json").stdout)
    assert all("under 200" in each["why"] for each in found)


def test_a_run_that_failed_says_which_records_were_bad(coupage, tmp_path, corpus):
    web = (corpus / "web.jsonl").read_text()
    broken = "{broken" + "x" * int(0.008 * len(web))
    lines = [broken, *web.splitlines(), broken]
    (tmp_path / "law.jsonl").write_text((corpus / "law.jsonl").read_text())
    (tmp_path / "web.jsonl").write_text("\n".join(lines) + "\n")
    recipe = write_recipe(tmp_path / "recipe.yaml", tmp_path)
    coupage("run", recipe, "--workdir", tmp_path / "run", code=2)
    report = json.loads(coupage("report", tmp_path / "run", "--json").stdout)
    assert report["unfinished"]["next_stage"] == "ingest web"
    assert [bad["source"] for bad in report["quarantine"]] == ["web", "web"]
    assert all(bad["sample"].startswith("{broken") for bad in report["quarantine"])


def test_training_and_scores_of_earlier_shards_are_marked(coupage, recipe, run_copy):
    coupage("train", run_copy, "--set", "train.stage1.max_steps=1")
    trained = json.loads((run_copy / "report.json").read_text())["training"]["stage1"]
    assert trained["of_these_shards"] is True
    scores = {"name": "m", "shards_fingerprint": Shards.open(run_copy / "shards" / "held_out").fingerprint}
    TrainedStage(run_copy, "stage1").write_scores({"model": scores}, {})
    report = json.loads(coupage("report", run_copy, "--json").stdout)
    assert report["evaluation"]["stage1"]["model"]["of_these_shards"] is True
    other = ["--set", "mixtures.stage1.tokens=30k", "--set", "held_out.tokens_per_group=2k"]
    coupage("run", recipe, "--workdir", run_copy, *other)
    report = json.loads((run_copy / "report.json").read_text())
    assert report["training"]["stage1"]["of_these_shards"] is False
    assert report["evaluation"]["stage1"]["model"]["of_these_shards"] is False
    page = (run_copy / "report.html").read_text()
    assert "Trained on earlier shards" in page and "Scored on earlier held-out documents" in page
    assert "trained on earlier shards" in (run_copy / "README.md").read_text()

"""`coupage outcome` on a run: all variants beside each other, kept as they come, in the report."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.commands.upload import publish
from tests.pipelines.small_base import small_model, write_base

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
HOSTILE = "other <b>\x1b[31m"


@pytest.fixture(scope="module")
def trained(coupage, finished, tmp_path_factory) -> Path:
    """A run both of whose stages are trained, from a model in a folder."""
    folder = tmp_path_factory.mktemp("outcome")
    run = shutil.copytree(finished, folder / "run", symlinks=True)
    base = write_base(run, small_model())
    for stage in ("stage1", "stage2"):
        coupage(
            "train",
            run,
            "--stage",
            stage,
            "--set",
            f"train.model={base}",
            "--set",
            f"train.{stage}.max_steps=4",
        )
    data = folder / "exam.jsonl"
    data.write_text("".join(json.dumps({"question": f"Is {n} a number?"}) + "\n" for n in range(24)))
    (folder / "tasks").mkdir()
    (folder / "tasks" / "exam.yaml").write_text(TASK.format(data=data))
    (folder / "facts.jsonl").write_text(
        "".join(
            json.dumps({"question": f"Which number has river {n}?", "answers": [str(n)]}) + "\n"
            for n in range(6)
        )
    )
    return run


@pytest.fixture(scope="module")
def arguments(trained) -> list[str]:
    folder = trained.parent
    facts = (
        f"file: {folder}/facts.jsonl, shots: 1, asked_shots: 1, exemplar_sets: 1, samples: 1, new_tokens: 4"
    )
    settings = {
        "outcome.general": "[web]",
        "outcome.general_tasks": "[our_exam]",
        "outcome.prompt": "Answer yes.",
        "outcome.passages": "{number: 1, characters: 200}",
        "outcome.merge": "[0.5]",
        "outcome.facts": "{" + facts + "}",
        "outcome.language_confusion": "{prompt_tokens: 16, prompts: 2, new_tokens: 8}",
        "evaluate.harness": "[{task: our_exam, limit: 20}]",
        "evaluate.include": f"[{folder}/tasks]",
        "evaluate.retrieval": "{lengths: [128, 300], depths: [0, 1], texts: 2}",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["outcome", str(trained), "--also", f"{HOSTILE}={folder}/base", *words]


@pytest.fixture(scope="module")
def outcome(coupage, arguments) -> dict:
    return json.loads(coupage(*arguments, "--json").stdout)


def test_all_variants_stand_beside_each_other(outcome):
    kinds = [(each["name"], each["kind"]) for each in outcome["variants"]]
    assert kinds[:-1] == [
        ("base", "base"),
        ("base + prompt", "prompt"),
        ("base + passages", "passages"),
        ("stage1", "stage"),
        ("stage2", "stage"),
        ("merged 0.5", "merged"),
    ]
    (sets,) = (outcome["tables"]["held_out"],)
    assert [row["name"] for row in sets["rows"]] == ["domain", "general", "all"]
    assert outcome["groups"] == {"domain": ["law"], "general": ["web"]}
    exam = {row["name"]: row for row in outcome["tables"]["benchmarks"]["rows"]}
    assert exam["general tasks"]["count"] == exam["our_exam, acc"]["count"] == 20
    assert len(exam["our_exam, acc"]["scores"]) == len(kinds)
    assert outcome["tables"]["facts_accuracy"]["rows"][0]["count"] == 6
    assert set(outcome["tables"]["long_context"]["rows"][0]["scores"]) == {
        name for name, kind in kinds if kind not in ("prompt", "passages")
    }


def test_differences_are_what_training_measured(outcome, trained):
    """Bits per byte before and after, as the training itself wrote them down."""
    evaluations = [
        json.loads((trained / "train" / stage / "training.json").read_text())["evaluations"]
        for stage in ("stage1", "stage2")
    ]
    start, end = evaluations[0][0], evaluations[1][-1]
    for row in outcome["tables"]["groups"]["rows"]:
        before, after = (each["groups"][row["name"]]["bits_per_byte"] for each in (start, end))
        assert row["scores"]["base"]["value"] == pytest.approx(before, rel=1e-3)
        assert row["differences"]["stage2"]["value"] == pytest.approx(after - before, abs=1e-3)
    total = outcome["tables"]["held_out"]["rows"][-1]
    low, high = total["differences"]["stage2"]["interval"]
    assert low < total["differences"]["stage2"]["value"] < high
    also = next(each["name"] for each in outcome["variants"] if each["kind"] == "also")
    assert total["differences"][also]["value"] == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_measured_is_said(outcome):
    said = {(each["measure"], each["why"]) for each in outcome["not_measured"]}
    assert ("new_tokens", "training has changed no vocabulary") in said
    assert ("long_context", "300 tokens: a model has only 256 positions") in said
    assert ("mera", "no data of it were given (`outcome.mera`)") in said
    assert len(outcome["verdicts"]) == 10


def test_the_same_command_asks_nothing_again_and_gives_the_same(coupage, arguments, outcome, trained):
    before = (trained / "outcome.html").read_bytes()
    again = coupage(*arguments, "--json")
    assert json.loads(again.stdout) == outcome
    told = [line for line in again.stderr.splitlines() if ": " in line]
    assert told and all(line.endswith(", kept") for line in told)
    assert (trained / "outcome.html").read_bytes() == before


def test_it_is_in_the_report_and_no_label_is_markup(coupage, outcome, trained):
    page = (trained / "outcome.html").read_text()
    assert "other &lt;b&gt;" in page and "<b>\x1b" not in page and "\x1b" not in page
    report = json.loads((trained / "report.json").read_text())
    assert report["outcome"]["verdicts"] == outcome["verdicts"]
    assert report["outcome"]["of_these_models"]
    assert 'href="outcome.html"' in (trained / "report.html").read_text()
    coupage("verify", trained)


def test_the_page_is_published_with_the_report_that_links_to_it(outcome, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("COUPAGE_CACHE", str(tmp_path / "cache"))
    publish(trained, f"file://{tmp_path}/there")
    (report,) = (tmp_path / "there").rglob("report.html")
    assert (report.parent / "outcome.html").read_bytes() == (trained / "outcome.html").read_bytes()


def test_merged_models_are_ordinary_ones(coupage, outcome):
    (merged,) = [each["model"] for each in outcome["variants"] if each["kind"] == "merged"]
    assert (Path(merged) / "config.json").is_file() and (Path(merged) / "tokenizer.json").is_file()
    values = outcome["tables"]["held_out"]["rows"][-1]["scores"]
    assert values["merged 0.5"]["value"] not in (values["base"]["value"], values["stage2"]["value"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--also", "stage1=/nowhere"], "two models would be called `stage1`"),
        (["--also", "nowhere"], "Write --also LABEL=FOLDER"),
        (["--also", "other=/nowhere"], "There is no model /nowhere"),
        (["--base", "/nowhere"], "There is no model /nowhere"),
        (["--set", "outcome.general=[wbe]"], "there is no group `wbe`"),
        (["--set", "train.model=x"], "unknown key `train`"),
    ],
)
def test_what_cannot_be_compared_is_refused(coupage, trained, more, words):
    assert words in " ".join(coupage("outcome", trained, *more, code=2).stderr.split())


def test_a_run_without_a_model_is_refused(coupage, finished):
    assert "no stage of this run is trained" in coupage("outcome", finished, code=2).stderr

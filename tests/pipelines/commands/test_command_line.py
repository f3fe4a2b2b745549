"""The command line: help, light start-up, plan, report, inspect, train."""

import json
import subprocess
import sys

import pytest

from tests.pipelines.conftest import environment

HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "datatrove",
    "polars",
    "numba",
    "pyarrow",
    "numpy",
    "tokenizers",
}


def test_help_loads_nothing_heavy():
    code = """if True:
        import sys, pipelines.cli
        try: pipelines.cli.main(["--help"])
        except SystemExit: print(*sys.modules)
    """
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert not HEAVY & set(loaded.stdout.split()), loaded.stderr


def test_curation_and_shards_need_no_torch(coupage, recipe, tmp_path, finished):
    for name in ("torch", "transformers", "accelerate", "trl", "peft"):
        (tmp_path / "blocked" / name).mkdir(parents=True)
        (tmp_path / "blocked" / name / "__init__.py").write_text("raise ImportError('blocked')")
    path = f"{tmp_path / 'blocked'}:{environment()['PYTHONPATH']}"
    coupage("run", recipe, "--workdir", tmp_path / "run", PYTHONPATH=path)
    failed = coupage("train", tmp_path / "run", code=2, PYTHONPATH=path)
    assert "pip install" in failed.stderr


@pytest.mark.parametrize(
    "arguments", [["rum"], ["run"], ["run", "x", "--workers", "0"], ["plan", "x", "--nope"]]
)
def test_wrong_command_lines_end_with_2(coupage_process, arguments):
    assert "Traceback" not in coupage_process(*arguments, code=2).stderr


def test_plan_changes_nothing(coupage, recipe, tmp_path):
    plan = coupage("plan", recipe, "--workdir", tmp_path / "run")
    assert "0 stages cached" in plan.stdout and "not run before" in plan.stdout
    assert not (tmp_path / "run").exists()


def test_report_is_there_and_hostile_text_is_escaped(coupage, tmp_path):
    from tests.pipelines.corpus import write_corpus, write_recipe

    corpus = write_corpus(tmp_path / "corpus", documents=120)
    (corpus / "web.jsonl").write_text((corpus / "web.jsonl").read_text() + "<script>alert(1)</script>\n")
    recipe = write_recipe(tmp_path / "recipe.yaml", corpus)
    small = ["--set", "mixtures.stage1.tokens=10k", "--set", "mixtures.stage2.tokens=5k"]
    coupage("run", recipe, "--workdir", tmp_path / "run", *small)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    report = json.loads(coupage("report", tmp_path / "run", "--json").stdout)
    assert report["mixtures"]["stage1"]["total"] == 10_000
    coupage("report", tmp_path / "run")
    coupage("verify", tmp_path / "run")


def test_inspect_shows_rule_value_threshold_and_the_survivor(coupage, finished):
    (short,) = json.loads(
        coupage("inspect", finished, "--reason", "gopher_quality.min_words", "-n", 1, "--json").stdout
    )
    assert short["verdict"] == "dropped: gopher_quality.min_words"
    assert "under 50" in short["why"] and short["source"] == "web"
    near = json.loads(coupage("inspect", finished, "--reason", "near duplicate", "-n", 3, "--json").stdout)
    for document in near:
        assert document["similarity"] >= 0.8
        assert document["kept_instead"]["text"] != document["text"]
    kept = json.loads(coupage("inspect", finished, "--kept", "--source", "law", "-n", 2, "--json").stdout)
    assert [document["source"] for document in kept] == ["law", "law"]
    shown = coupage("inspect", finished, "--reason", "exact duplicate", "-n", 1).stdout
    assert "similarity 1.000" in shown
    none = coupage("inspect", finished, "--reason", "near duplicate", "--source", "law")
    assert none.stdout.strip() == "no document is like that"


def test_a_run_is_reported_after_its_inputs_are_gone(coupage, tmp_path):
    from tests.pipelines.corpus import write_corpus, write_recipe

    corpus = write_corpus(tmp_path / "corpus", documents=120)
    recipe = write_recipe(tmp_path / "recipe.yaml", corpus)
    small = ["--set", "mixtures.stage1.tokens=10k", "--set", "mixtures.stage2.tokens=5k"]
    coupage("run", recipe, "--workdir", tmp_path / "run", *small)
    for path in corpus.iterdir():
        path.unlink()
    assert json.loads(coupage("report", tmp_path / "run", "--json").stdout)["name"] == "small"
    coupage("inspect", tmp_path / "run")


def test_train_both_stages_from_a_run(coupage, run_copy):
    short = ["--set", "train.stage1.max_steps=4", "--set", "train.stage2.max_steps=3"]
    refused = coupage("train", run_copy, "--stage", "stage2", *short, code=2)
    assert "--stage stage1" in refused.stderr
    coupage("train", run_copy, "--stage", "stage1", *short)
    said = coupage("train", run_copy, "--stage", "stage2", *short, "--json").stdout
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3]
    assert {0, 3} <= {event["step"] for event in events if event["event"] == "evaluation"}
    assert events[-1]["event"] == "result" and events[-1]["steps"] == 3
    assert events[-1]["model"] == str(run_copy / "train" / "stage2")
    log = next((run_copy / "logs").glob("*-train-stage2.log")).read_text()
    assert "step 3 of 3: loss " in log and "evaluation at step 3: " in log
    for stage, steps in (("stage1", 4), ("stage2", 3)):
        result = json.loads((run_copy / "train" / stage / "training.json").read_text())
        assert result["steps"] == steps
        assert set(result["evaluations"][-1]["groups"]) == {"web", "law"}
    scored = json.loads(coupage("evaluate", run_copy, "--json").stdout)["model"]["groups"]
    for group, score in result["evaluations"][-1]["groups"].items():
        assert scored[group]["loss"] == pytest.approx(score["loss"], rel=1e-3)
    assert "stage2" in json.loads((run_copy / "report.json").read_text())["training"]
    coupage("verify", run_copy)
    model = run_copy / "train" / "stage2" / "model.safetensors"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    assert "model.safetensors: has changed" in coupage("verify", run_copy, code=1).stderr


def test_train_on_a_folder_of_shards(coupage_process, finished, tmp_path):
    shards = (finished / "shards" / "stage2").resolve()
    small = "train.model={hidden_size: 32, layers: 1, heads: 2, kv_heads: 1, intermediate_size: 64}"
    coupage_process("train", shards, "--set", small, "--set", "train.stage1.max_steps=2", cwd=tmp_path)
    (result,) = tmp_path.glob("runs/*/training.json")
    assert json.loads(result.read_text())["steps"] == 2


def test_prompts_are_copied_to_be_edited_and_never_over_others(coupage, tmp_path):
    done = coupage("recipe", "prompts", tmp_path / "mine")
    assert (tmp_path / "mine" / "qa" / "factual.ru.yaml").read_text("utf-8").count("{{ passage }}") == 1
    assert "synthesize.prompts" in done.stdout
    (tmp_path / "mine" / "qa" / "factual.ru.yaml").write_text("user: mine")
    coupage("recipe", "prompts", tmp_path / "mine", code=2)
    assert (tmp_path / "mine" / "qa" / "factual.ru.yaml").read_text() == "user: mine"

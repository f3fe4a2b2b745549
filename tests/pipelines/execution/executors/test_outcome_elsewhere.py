"""`coupage outcome` whose models are trained and asked by other processes: the same outcome."""

import json
import shutil
from pathlib import Path

import pytest

from tests.pipelines.small_base import small_model, write_base

WANTED = [
    "--set=outcome.general=[web]",
    "--set=outcome.merge=[0.5]",
    "--set=outcome.prompt=Answer.",
    "--set=outcome.remedies.lr=[0.3]",
    "--set=outcome.language_confusion={prompt_tokens: 16, prompts: 2, new_tokens: 8}",
    "--set=evaluate.retrieval={lengths: [64], depths: [0, 1], texts: 1}",  # the facts alone are longer
]
CPUS = ["--set=executor.ray.gpus_serving=0"]  # the cluster of the tests has no GPU


@pytest.fixture(scope="module")
def trained(coupage, recipe, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("outcome")
    run = folder / "run"
    coupage("run", recipe, "--workdir", run, "--workers", 2, "--set=held_out.share=10%")
    base = write_base(run, small_model())
    coupage("train", run, "--stage", "stage1", f"--set=train.model={base}", "--set=train.stage1.max_steps=3")
    return run


@pytest.fixture(scope="module")
def command(trained) -> list[str]:
    label = "a/b \x1b[31m"  # no name of a file, and nothing to print as it is
    return ["outcome", str(trained), "--also", f"{label}={trained.parent / 'base'}", *WANTED, "--json"]


@pytest.fixture(scope="module")
def outcome(coupage, command) -> dict:
    return json.loads(coupage(*command).stdout)


def asked_elsewhere(coupage, command, trained, *options) -> dict:
    """The outcome, made anew; the command itself asks no model."""
    shutil.rmtree(trained / "outcome")
    done = coupage(*command, *options)
    own = [line for line in done.stderr.splitlines() if line.startswith(("base", "stage1", "merged"))]
    assert own and all(line.endswith(", kept") for line in own)
    assert "long context" not in "\n".join(own), "what a task could not ask is not asked again"
    assert "\x1b" not in done.stderr
    assert not (trained / "outcome" / ".work").exists()
    return json.loads(done.stdout)


def test_the_same_outcome_from_a_cluster(coupage, command, outcome, trained, executor):
    assert {"long_context"} <= {each["measure"] for each in outcome["not_measured"]}
    assert asked_elsewhere(coupage, command, trained, "--executor", executor, *CPUS) == outcome


def test_the_same_outcome_from_workers_here(coupage, command, outcome, trained):
    assert asked_elsewhere(coupage, command, trained, "--workers", "2") == outcome


def test_a_merged_model_that_is_damaged_is_merged_again(coupage, command, outcome, trained):
    (weights,) = (trained / "outcome" / "models").glob("*/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    assert str(weights) in coupage("verify", trained, code=1).stderr
    assert json.loads(coupage(*command).stdout) == outcome
    coupage("verify", trained)


def test_a_task_that_fails_names_its_model_and_what_was_found_is_kept(
    coupage, command, outcome, trained, tmp_path
):
    other = shutil.copytree(trained.parent / "base", tmp_path / "other")
    (other / "model.safetensors").write_bytes(b"no weights")
    said = coupage(*command, "--also", f"broken={other}", "--workers", "1", code=1).stderr
    assert "ask broken" in said
    again = coupage(*command, "--workers", "1")
    assert json.loads(again.stdout) == outcome


def test_an_unknown_executor_is_refused_before_anything_is_written(coupage, command, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("outcome*"), symlinks=True)
    said = coupage("outcome", run, *command[2:], "--executor", "slrm", code=2).stderr
    assert "Executors: local, slurm, ray." in said
    assert not (run / "outcome").exists()

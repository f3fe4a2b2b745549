"""Synthesis on a cluster: several tasks, each of which serves a model on its node."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Timer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.synthesis import fake_vllm
from tests.pipelines.synthesis.toy_model import station_texts

RECIPE = """\
name: served
sources: {{web: {{reader: files, path: {folder}/web.jsonl}}}}
dedup: {{minhash: null}}
held_out: {{share: 0}}
synthesize:
  serve: {{model: toy, command: {program}, nodes: 2, concurrency: 2}}
  retold: {{method: rephrase, from: sources, domains: [web], styles: [textbook], checks: {checks}}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 1k, sequence_length: 256, weights: {{web: 1, retold: 1}}, on_shortage: repeat}}
executor: {{slurm: {{poll_seconds: 0.2, serving: {{gres: "gpu:2"}}}}}}
"""
CHECKS = (
    "{language: false, repetition: false, refusals: false, copied_prompt: false, stands_alone: false, "
    "grounded_words: null}"
)


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    program = shutil.copy(fake_vllm.__file__, tmp_path / "vllm")
    program.write_text(f"#!{sys.executable}\n{program.read_text()}")
    program.chmod(0o755)
    rows = [json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(station_texts(20))]
    (tmp_path / "web.jsonl").write_text("".join(rows))
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(folder=tmp_path, program=program, checks=CHECKS))
    return path


def test_tasks_reserve_accelerators_and_share_the_documents(coupage, slurm, recipe, tmp_path):
    run = tmp_path / "run"
    coupage("run", recipe, "--workdir", run, "--executor", "slurm", "--until", "synthesize")
    tables = [pq.read_table(path) for path in sorted(run.glob("stages/synthesize-retold-*/0000?-*.parquet"))]
    assert [table.num_rows for table in tables] == [10, 10]
    parents = pa.concat_tables(tables)["parent_id"].to_pylist()
    assert len(set(parents)) == 20
    (script,) = run.glob("logs/synthesize-retold*/*/*.slurm")
    assert "gpu:2" in script.read_text()
    others = [path for path in run.glob("logs/*/*/*.slurm") if path != script]
    assert others and not any("gpu" in path.read_text() for path in others)
    assert list(run.glob("logs/vllm-*.log"))


def test_tasks_of_a_node_share_a_server(coupage, ray, recipe, tmp_path):
    run, own = tmp_path / "run", "executor.ray.gpus_serving=0"  # the cluster of the tests has none
    coupage("run", recipe, "--workdir", run, "--executor", "ray", "--until", "synthesize", "--set", own)
    parts = sorted(run.glob("stages/synthesize-retold-*/0000?-*.parquet"))
    assert [pq.read_table(path).num_rows for path in parts] == [10, 10]
    assert len((tmp_path / fake_vllm.CALLS).read_text().splitlines()) == 1


def test_that_no_node_has_an_accelerator_is_said(ray, recipe, tmp_path):
    words = ("run", recipe, "--workdir", tmp_path / "run", "--executor", "ray", "--until", "synthesize")
    command = [sys.executable, "-m", "pipelines", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        end = Timer(120, waiting.kill)
        end.start()
        said = next((line for line in waiting.stderr if "GPUs" in line), "")
        end.cancel()
        waiting.kill()
    assert "waits for 1 GPUs, and the cluster has 0 now" in said and "gpus_serving=0" in said

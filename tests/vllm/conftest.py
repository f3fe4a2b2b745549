"""A model that this project trains, for a real vLLM to serve: `make vllm` installs one."""

import shutil
from pathlib import Path

import pytest

from pipelines.synthesis.server import Serve, stop_server
from tests.pipelines.command_line import ROOT, run_process
from tests.pipelines.corpus import write_corpus

PROGRAM = ROOT / ".venv-vllm" / "bin" / "vllm"
RECIPE = """\
name: served
seed: 3
sources:
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{id: id}}}}
tokenizer: {{train: {{vocabulary_size: 600}}, chat_template: chatml.jinja}}
held_out: {{share: 3%, tokens_per_group: 5k}}
mixtures:
  stage1:
    tokens: 60k
    sequence_length: 256
    weights: {{web: 1}}
train:
  model: {{hidden_size: 64, layers: 2, heads: 2, kv_heads: 1, intermediate_size: 96, positions: 4096}}
  stage1: {{rows_per_step: 8}}
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A tiny model with a chat template, made by a run and its training."""
    folder = tmp_path_factory.mktemp("model")
    corpus = write_corpus(folder / "corpus")
    shutil.copy(ROOT / "tests" / "chat_templates" / "chatml.jinja", folder)
    (folder / "recipe.yaml").write_text(RECIPE.format(corpus=corpus))
    for words in (("run", "recipe.yaml", "--workdir", "run"), ("train", "run", "--stage", "stage1")):
        done = run_process(*words, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run" / "train" / "stage1"


@pytest.fixture(scope="session")
def serve(model):
    """Settings of a server of that model; the server is shared by all tests and stopped after them."""
    config = Serve(
        model=str(model),
        command=str(PROGRAM),
        max_length=4096,
        concurrency=16,
        options={
            "gpu_memory_utilization": 0.2,  # of this machine's memory, when there is no GPU
            "enforce_eager": True,  # without the minutes of compiling
        },
    )
    yield config
    assert stop_server(config)

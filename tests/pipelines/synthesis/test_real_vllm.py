"""A model that this project trains behind a real vLLM: `make vllm` installs one, `make test-vllm` tests."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.errors import WorkError
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.server import Serve, patience, served, stop_server
from tests.pipelines.command_line import ROOT, run_process
from tests.pipelines.corpus import write_corpus

pytestmark = pytest.mark.vllm

SCHEMA = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "maxLength": 60},
        "level": {"enum": ["easy", "hard"]},
        "choices": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
    },
    "required": ["question", "level", "choices"],
    "additionalProperties": False,
}
GUIDED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
REQUESTS = 64
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


def test_every_guided_answer_is_json_of_the_schema(serve, tmp_path):
    with served(serve, tmp_path / "logs") as endpoint:
        client = EndpointClient(endpoint, patience(serve))
        conversations = [[{"role": "user", "content": f"Write question {n}."}] for n in range(REQUESTS)]
        answers = dict(
            client.chat_all(conversations, max_tokens=1000, temperature=1.0, response_format=GUIDED)
        )
    assert len(answers) == REQUESTS
    for answer in answers.values():
        found = json.loads(answer, strict=False)  # its grammar lets control characters into strings
        assert found.keys() == SCHEMA["properties"].keys()
        assert found["level"] in ("easy", "hard") and 2 <= len(found["choices"]) <= 4


def test_it_wants_a_key(serve, tmp_path):
    with served(serve, tmp_path / "logs") as endpoint:
        stranger = EndpointClient(endpoint.model_copy(update={"key": None}))
        with pytest.raises(WorkError, match="401"):
            stranger.chat([{"role": "user", "content": "Hello"}])


def test_a_model_that_is_not_there_is_named(serve, tmp_path):
    config = serve.model_copy(update={"model": str(tmp_path)})
    with (
        pytest.raises(WorkError, match="it ended before it was ready") as caught,
        served(config, tmp_path / "logs"),
    ):
        pass
    assert "Error: " in caught.value.hint
    assert stop_server(config)

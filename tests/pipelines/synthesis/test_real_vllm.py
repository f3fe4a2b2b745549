"""A model that this project trains behind a real vLLM: `make vllm` installs one, `make test-vllm` tests."""

import json
import random
import shutil
from pathlib import Path

import pytest

from pipelines.errors import WorkError
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.serving.server import Serve, patience, served, stop_server
from tests.pipelines.command_line import ROOT, run_process
from tests.pipelines.corpus import sentence, write_corpus

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
  model: {{hidden_size: 64, layers: 2, heads: 2, kv_heads: 1, intermediate_size: 96, positions: 8192}}
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
        max_length=8192,
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


NEW_TEXT = """\
name: new_text
sources:
  web: {{reader: files, path: {corpus}/few.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 0}}
synthesize:
  serve: {serve}
  questions: {{method: qa, from: stage1, domains: [web], per_call: 1, kinds: [factual, definition],
              sampling: {sampling}, checks: {none}}}
  translated: {{method: translate, from: sources, domains: [web], to: ru, sampling: {sampling}}}
  augmented: {{method: augment, from: sources, domains: [web], how: [relations, faq], pairs: 2, triples: 0,
              sampling: {sampling}, checks: {none}}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 3k, sequence_length: 256, weights: {{web: 1}}, on_shortage: repeat}}
  stage2: {{tokens: 1k, sequence_length: 4096, weights: {{questions: 1, translated: 1, augmented: 1, web: 1}},
           on_shortage: renormalize}}
"""
NONE = (
    "{language: false, repetition: false, refusals: false, copied_prompt: false, stands_alone: false, "
    "grounded_words: null}"
)
"""Checks that let the words of a model pass that knows nothing."""
GUIDED_PROMPTS = ("qa/", "augment/entities")


def test_a_run_asks_translates_and_augments(serve, tmp_path):
    rng = random.Random(5)
    rows = [{"id": str(n), "text": " ".join(sentence(rng) for _ in range(9))} for n in range(12)]
    (tmp_path / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = NEW_TEXT.format(
        corpus=tmp_path,
        serve=json.dumps(serve.model_dump(mode="json", exclude_none=True)),
        sampling="{temperature: 1.0, max_tokens: 5000}",
        none=NONE,
    )
    (tmp_path / "recipe.yaml").write_text(recipe)
    for words in (("run", "recipe.yaml", "--workdir", "run"), ("verify", "run")):
        done = run_process(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    answers = [
        json.loads(line)
        for path in (tmp_path / "run" / "answers").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    guided = [answer for answer in answers if any(name in answer["prompt"] for name in GUIDED_PROMPTS)]
    finished = [answer for answer in guided if answer["finish_reason"] == "stop"]
    assert len(guided) >= 2 * len(rows)
    assert len(finished) >= 0.9 * len(guided)  # a model that knows nothing does not always come to an end
    for answer in finished:
        assert json.loads(answer["text"], strict=False).keys() < {"questions", "entities"}
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    made = {each["name"]: each for each in report["synthesis"]}
    assert made.keys() == {"questions", "translated", "augmented"}
    assert all(each["passages"]["asked"] == len(rows) for each in made.values())

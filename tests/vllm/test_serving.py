"""A real vLLM serves a model of ours, and keeps to JSON schemas."""

import json

import pytest

from pipelines.errors import WorkError
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.server import patience, served, stop_server

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

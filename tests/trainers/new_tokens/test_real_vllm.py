"""Models with tokens added or replaced behind a real vLLM, which `make vllm` installs."""

from pathlib import Path

import pytest

from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.serving.server import Serve, patience, served, stop_server
from tests.pipelines.command_line import ROOT
from tests.trainers.new_tokens.changed_models import base_model, base_tokenizer, change, text_rows
from trainers.config import Phase, StageTraining
from trainers.train import train

pytestmark = pytest.mark.vllm

PROGRAM = ROOT / ".venv-vllm" / "bin" / "vllm"
CHAT_TEMPLATE = "{% for message in messages %}{{ message.content }} {% endfor %}"


@pytest.mark.parametrize(
    "shape, how", [("llama untied", "extended"), ("qwen3 tied", "extended"), ("qwen3 tied", "replaced")]
)
def test_vllm_loads_the_folder_and_answers(
    shape: str, how: str, stage: StageTraining, tmp_path: Path
) -> None:
    tokenizer = base_tokenizer()
    changed = change(tokenizer, how, tmp_path / "tokenizer")
    base = base_model(shape, tokenizer, 336, tmp_path / "base", head_dim=32)  # the least for a CPU
    phases = (Phase(train="new_embeddings", steps=2, lr=0.03), Phase(train="all"))
    settings = stage.model_copy(update={"phases": phases, "max_steps": 4})
    shards = text_rows(changed.folder, tmp_path / "shards")
    model = train(shards, settings, base, tmp_path / "run", changed.folder).output
    (model / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    config = Serve(
        model=str(model),
        command=str(PROGRAM),
        max_length=128,
        concurrency=2,
        options={"gpu_memory_utilization": 0.2, "enforce_eager": True},
    )
    try:
        with served(config, tmp_path / "logs") as endpoint:
            client = EndpointClient(endpoint, patience(config))
            conversation = [{"role": "user", "content": "malolactic maceration"}]
            assert client.chat(conversation, max_tokens=8)
    finally:
        stop_server(config)

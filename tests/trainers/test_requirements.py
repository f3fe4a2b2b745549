"""What training refuses, by config.json and settings alone; and that these words are true of the models."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from tests.trainers.shards_folder import VOCABULARY, documents, pack, write_shards
from trainers.config import Adapter, Phase, SmallModel, StageTraining
from trainers.requirements import Start, positions, refusals
from trainers.train import train

SOUND = {"model_type": "qwen3", "max_position_embeddings": 4096, "num_hidden_layers": 4}
REFUSED = [
    ({"model_type": "gemma2", "attn_logit_softcapping": 50.0}, {}, "model", "attn_logit_softcapping`: 50.0"),
    ({"model_type": "gpt_oss"}, {}, "model", "attention sinks"),
    ({"model_type": "t5", "is_encoder_decoder": True}, {}, "model", "encoder with a decoder"),
    ({"model_type": "bloom"}, {}, "model", "knows no boundaries"),
    ({"model_type": "mamba2"}, {}, "model", "recurrent layers"),
    ({"model_type": "clip", "text_config": {"model_type": "llama"}}, {}, "model", "`clip`, no causal"),
    ({"model_type": "made_up"}, {}, "model", "`made_up`, no causal language model"),
    ({"model_type": "made_up", "auto_map": {"AutoModel": "x.Y"}}, {}, "model", "code of its own"),
    ({"quantization_config": {"quant_method": "gptq"}}, {}, "model", "quantised weights (gptq)"),
    ({"use_bidirectional_attention": True}, {}, "model", "later tokens"),
    ({"model_type": "llama4_text", "attention_chunk_size": 8}, {}, "sequence_length", "attention_chunk_size"),
    ({"model_type": "phimoe", "sliding_window": 8}, {}, "sequence_length", "sliding_window"),
    ({"max_position_embeddings": 8}, {}, "sequence_length", "8 positions (`max_position_embeddings`)"),
    (
        {"model_type": "gpt2", "max_position_embeddings": None, "n_positions": 8},
        {},
        "sequence_length",
        "`n_positions`",
    ),
    ({}, {"adapter": Adapter(start="continue")}, "adapter", "no adapter to continue"),
    ({}, {"phases": (Phase(train="new_embeddings", steps=2), Phase(train="all"))}, "phases", "knows all"),
    ({}, {"phases": (Phase(train="top_layers", layers=5),)}, "phases", "top 5 layers, and the base has 4"),
]


@pytest.mark.parametrize(("config", "settings", "setting", "words"), REFUSED)
def test_what_is_refused_is_named_with_its_key_and_a_mend(
    config: dict, settings: dict, setting: str, words: str
) -> None:
    assert not list(refusals(Start("the base", SOUND), StageTraining(), 16))
    found = list(refusals(Start("the base", SOUND | config), StageTraining(**settings), 16))
    assert [refusal.setting for refusal in found] == [setting]
    assert words in found[0].message
    assert found[0].hint.endswith(".")


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
        (
            {
                "max_position_embeddings": 40960,
                "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_parameters": {
                    "full_attention": {"factor": 8.0, "original_max_position_embeddings": 8192}
                },
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {
                    "rope_type": "llama3",
                    "factor": 32.0,
                    "original_max_position_embeddings": 8192,
                },
            },
            131072,
        ),
        ({"n_positions": 1024, "n_ctx": 1024}, 1024),
        ({"text_config": {"max_position_embeddings": 99}}, 99),
    ],
)
def test_positions_are_those_that_are_declared_times_a_scaling(config: dict, count: int) -> None:
    found = positions(config)
    assert found is not None and found[1] == count
    assert positions({"model_type": "bloom"}) is None


def test_embeddings_that_a_tokenizer_does_not_go_with_are_refused() -> None:
    config = SOUND | {"vocab_size": 1024}
    fits = Start("the base", config, written_tokens=1024, new_tokens=50)
    assert not list(refusals(fits, StageTraining(), 16))
    (small,) = refusals(Start("the base", config, written_tokens=1025), StageTraining(), 16)
    assert (
        small.setting == "model" and "1,025 tokens" in small.message and "1,024 embeddings" in small.message
    )
    layered = {"text_config": config | {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 900}}
    assert not list(refusals(Start("the base", SOUND | layered), StageTraining(), 16))
    (fixed,) = refusals(Start("the base", SOUND | layered, new_tokens=50), StageTraining(), 16)
    assert "50 tokens" in fixed.message and "900" in fixed.message


def test_asking_loads_no_torch() -> None:
    code = (
        "import sys; from trainers.requirements import *; from trainers.config import StageTraining\n"
        f"assert not list(refusals(Start('x', {SOUND}), StageTraining(), 16))\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """GPT-2 with 24 learned positions and the dropout that it has by default."""
    folder = tmp_path_factory.mktemp("gpt2") / "model"
    config = AutoConfig.for_model(
        "gpt2", vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=24
    )
    assert config.attn_pdrop == 0.1
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in tokenizer_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_document_longer_than_the_models_positions_is_refused_before_anything_is_trained(
    gpt2: Path, shards: Path, stage: StageTraining, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"64 tokens, and .* has 24 positions \(`n_positions`\)"):
        train(shards, stage, gpt2, tmp_path / "run")
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_short_documents_in_longer_rows_train_without_dropout_in_attention_and_it_is_said(
    gpt2: Path, stage: StageTraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = write_shards(tmp_path / "short", pack(documents(60, seed=3, longest=24)))
    phases = (Phase(train="top_layers", layers=1, steps=1), Phase(train="all"))
    result = train(short, stage.model_copy(update={"phases": phases, "max_steps": 3}), gpt2, tmp_path / "run")
    assert np.isfinite(result.final_loss)
    assert "`attn_pdrop: 0.1`" in " ".join(capsys.readouterr().err.split())
    assert json.loads((result.output / "config.json").read_text())["attn_pdrop"] == 0


def test_a_new_model_may_be_made_for_longer_documents_than_its_first_stage_has(
    shards: Path, small: SmallModel, stage: StageTraining, tokenizer_folder: Path, tmp_path: Path
) -> None:
    longer = small.model_copy(update={"positions": 200})
    result = train(
        shards, stage.model_copy(update={"max_steps": 1}), longer, tmp_path / "run", tokenizer_folder
    )
    assert json.loads((result.output / "config.json").read_text())["max_position_embeddings"] == 200

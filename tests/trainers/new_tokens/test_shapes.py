"""Models of every shape, with tokens added or replaced, are trained, saved and used by plain transformers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.trainers.new_tokens.changed_models import (
    SHAPES,
    Changed,
    base_model,
    base_tokenizer,
    change,
    is_tied,
    tables,
    text_rows,
)
from tokenizer_tools.load import TokenizerFiles
from trainers.checkpoint import checkpoints
from trainers.config import Adapter, Phase, StageTraining
from trainers.model import load_model
from trainers.new_tokens.add import add_embeddings
from trainers.train import train

PHASES = (Phase(train="new_embeddings", steps=2, lr=0.03), Phase(train="all"))
TIGHT, PADDED = 336, 384
"""Rows of a model that the new ids do not fit into, and of one that they do."""


@pytest.fixture(scope="module")
def tokenizer() -> TokenizerFiles:
    return base_tokenizer()


@pytest.fixture(scope="module")
def changed(tokenizer: TokenizerFiles, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Changed]:
    made = {
        how: change(tokenizer, how, tmp_path_factory.mktemp(how) / "tokenizer")
        for how in ("extended", "replaced")
    }
    return made.__getitem__


@pytest.fixture(scope="module")
def phased(stage: StageTraining) -> StageTraining:
    return stage.model_copy(
        update={"phases": PHASES, "max_steps": 4, "save_every": 2, "keep_checkpoints": 9, "evaluate_every": 0}
    )


@pytest.mark.parametrize(
    ("how", "rows", "grown"),
    [("extended", PADDED, PADDED), ("extended", TIGHT, 384), ("replaced", TIGHT, TIGHT)],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_changed_model_is_trained_saved_and_used(
    shape: str,
    how: str,
    rows: int,
    grown: int,
    tokenizer: TokenizerFiles,
    changed: Callable[[str], Changed],
    phased: StageTraining,
    tmp_path: Path,
) -> None:
    used = changed(how)
    base = base_model(shape, tokenizer, rows, tmp_path / "base")
    before = AutoModelForCausalLM.from_pretrained(base)
    shards = text_rows(used.folder, tmp_path / "shards")
    output = train(shards, phased, base, tmp_path / "run", used.folder).output

    begun = load_model(base)
    add_embeddings(begun, used.pieces)
    first_phase = AutoModelForCausalLM.from_pretrained(checkpoints(output)[0])
    kept = [number for number in range(rows) if number not in used.pieces]
    for name, table in tables(first_phase).items():
        assert torch.equal(table[kept], tables(before)[name][kept])
        assert not torch.equal(table[used.new], tables(begun)[name][used.new])
    inner, still = (model.get_decoder().layers.state_dict() for model in (before, first_phase))
    assert all(torch.equal(weight, still[name]) for name, weight in inner.items())

    model, opened = AutoModelForCausalLM.from_pretrained(output), AutoTokenizer.from_pretrained(output)
    assert is_tied(model) == is_tied(before) == model.config.tie_word_embeddings
    assert model.config.get_text_config().vocab_size == len(model.get_input_embeddings().weight) == grown
    with safe_open(output / "model.safetensors", "pt") as saved:
        assert any(name.endswith("lm_head.weight") for name in saved.keys()) != is_tied(before)  # noqa: SIM118
    inputs = opened("malolactic maceration", return_tensors="pt")
    assert set(inputs.input_ids[0].tolist()) & set(used.new)
    made = model.generate(inputs.input_ids, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert made.shape[1] == inputs.input_ids.shape[1] + 3


@pytest.mark.parametrize("shape", SHAPES)
def test_old_text_is_read_as_before(
    shape: str, tokenizer: TokenizerFiles, changed: Callable[[str], Changed], tmp_path: Path
) -> None:
    base = base_model(shape, tokenizer, TIGHT, tmp_path / "base")
    model, used = AutoModelForCausalLM.from_pretrained(base), changed("extended")
    ids = torch.arange(40, 70)[None]
    with torch.no_grad():
        before = model(ids).logits
        add_embeddings(model, used.pieces)
        torch.testing.assert_close(model(ids).logits[:, :, : used.new[0]], before[:, :, : used.new[0]])


@pytest.mark.parametrize("shape", ["llama tied", "gemma3", "qwen3 untied"])
def test_an_adapter_on_an_extended_model_keeps_its_ties(
    shape: str,
    tokenizer: TokenizerFiles,
    changed: Callable[[str], Changed],
    phased: StageTraining,
    stage: StageTraining,
    tmp_path: Path,
) -> None:
    used = changed("extended")
    base = base_model(shape, tokenizer, TIGHT, tmp_path / "base")
    shards = text_rows(used.folder, tmp_path / "shards")
    first = train(shards, phased, base, tmp_path / "first", used.folder).output
    adapted = stage.model_copy(update={"adapter": Adapter(rank=2), "max_steps": 2})
    second = train(shards, adapted, first, tmp_path / "second", used.folder).output
    before, after = (AutoModelForCausalLM.from_pretrained(folder) for folder in (first, second))
    assert is_tied(after) == is_tied(before) == after.config.tie_word_embeddings
    assert all(torch.equal(table, tables(after)[name]) for name, table in tables(before).items())
    with safe_open(second / "model.safetensors", "pt") as saved:
        assert any(name.endswith("lm_head.weight") for name in saved.keys()) != is_tied(before)  # noqa: SIM118
    with safe_open(second / "adapter" / "adapter_model.safetensors", "pt") as saved:
        assert not any("embed" in name or "lm_head" in name for name in saved.keys())  # noqa: SIM118

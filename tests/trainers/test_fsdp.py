"""A sharded model trains as a whole one does, and either goes on from the other's checkpoint."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.trainers.killing import launch, train_and_kill
from tests.trainers.metrics_logs import steps
from trainers.checkpoint import checkpoints
from trainers.config import Adapter, SmallModel, StageTraining
from trainers.result import TrainingResult, read_result
from trainers.train import train


@pytest.fixture(scope="module")
def fsdp(stage: StageTraining) -> StageTraining:
    return stage.model_copy(update={"save_every": 2, "micro_batch_rows": 1, "parallel": "fsdp"})


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    small: SmallModel,
    stage: StageTraining,
) -> TrainingResult:
    output = tmp_path_factory.mktemp("whole") / "model"
    stage = stage.model_copy(update={"micro_batch_rows": 1})
    return train(shards, stage, small, output, tokenizer_folder, held_out)


def _losses(result: TrainingResult) -> list[float]:
    return [evaluation.total.loss for evaluation in result.evaluations]


def _same_run(output: Path, other: Path, rel: float) -> None:
    # A step's loss depends on its rows; other rows or other weights for them would show.
    for one, expected in zip(steps(output), steps(other), strict=True):
        assert one == pytest.approx(expected, rel=rel)
    assert _losses(read_result(output)) == pytest.approx(_losses(read_result(other)), rel=rel)


def test_sharded_whole_and_sharded_again_train_the_same_rows(
    whole: TrainingResult,
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    small: SmallModel,
    fsdp: StageTraining,
    tmp_path: Path,
) -> None:
    output = tmp_path / "changing"
    train_and_kill(3, shards, fsdp, small, output, tokenizer_folder, held_out, processes=2)
    train_and_kill(7, shards, fsdp, small, output, tokenizer_folder, held_out)
    assert launch(2, shards, fsdp, small, output, tokenizer_folder, held_out).wait() == 0
    _same_run(output, whole.output, rel=1e-4)
    expected = load_file(whole.output / "model.safetensors")
    for folder in (output, checkpoints(output)[-1]):
        found = load_file(folder / "model.safetensors")  # tied embeddings are in it once
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert model.generate(torch.arange(1, 5)[None], max_new_tokens=2, min_new_tokens=2).shape == (1, 6)


def test_a_resumed_sharded_run_continues_identically(
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    small: SmallModel,
    fsdp: StageTraining,
    tmp_path: Path,
) -> None:
    undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    small = small.model_copy(update={"tie_embeddings": False})
    fsdp = fsdp.model_copy(update={"dtype": "bfloat16", "gradient_checkpointing": True, "max_steps": 5})
    assert launch(2, shards, fsdp, small, undisturbed, tokenizer_folder, held_out).wait() == 0
    middle = checkpoints(undisturbed)[0]
    shutil.copytree(middle, resumed / middle.name)
    assert launch(2, shards, fsdp, small, resumed, tokenizer_folder, held_out).wait() == 0
    assert 0 < len(steps(resumed)) < 5
    assert steps(resumed) == steps(undisturbed)[-len(steps(resumed)) :]
    one, other = (load_file(output / "model.safetensors") for output in (undisturbed, resumed))
    assert all(torch.equal(one[name], other[name]) and one[name].dtype == torch.float32 for name in one)
    exact = train(shards, fsdp.model_copy(update={"dtype": "float32"}), small, tmp_path / "exact")
    assert read_result(undisturbed).final_loss == pytest.approx(exact.final_loss, rel=0.02)


def test_an_adapter_trains_on_a_sharded_model(
    whole: TrainingResult,
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    fsdp: StageTraining,
    tmp_path: Path,
) -> None:
    lora = fsdp.model_copy(update={"adapter": Adapter(rank=4), "max_steps": 6})
    expected = train(shards, lora, whole.output, tmp_path / "one", tokenizer_folder, held_out)
    output = tmp_path / "two"
    assert launch(2, shards, lora, whole.output, output, tokenizer_folder, held_out).wait() == 0
    first = checkpoints(output)[0]
    resumed = tmp_path / "three"
    shutil.copytree(first, resumed / first.name)
    shutil.copyfile(output / "metrics.jsonl", resumed / "metrics.jsonl")
    train(shards, lora, whole.output, resumed, tokenizer_folder, held_out, resume=True)
    weights = load_file(expected.output / "model.safetensors")
    for folder in (output, resumed):
        _same_run(folder, expected.output, rel=1e-4)
        torch.testing.assert_close(load_file(folder / "model.safetensors"), weights, rtol=1e-3, atol=1e-4)


def test_a_quantised_model_is_not_sharded() -> None:
    with pytest.raises(ValueError, match="4 bits"):
        StageTraining(parallel="fsdp", adapter=Adapter(kind="qlora"))

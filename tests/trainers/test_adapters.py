"""Adapters through continual pre-training and fine-tuning, merged, resumed and refused."""

import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel

from trainers.checkpoint import checkpoints
from trainers.config import Adapter, SmallModel, StageTraining
from trainers.model import load_model
from trainers.result import TrainingResult
from trainers.train import train

IDS = torch.arange(1, 30)[None]


@pytest.fixture(scope="module")
def lora(stage: StageTraining) -> StageTraining:
    return stage.model_copy(update={"adapter": Adapter(rank=4), "save_every": 5})


@pytest.fixture(scope="module")
def base(
    tmp_path_factory: pytest.TempPathFactory,
    shards: Path,
    small: SmallModel,
    stage: StageTraining,
    tokenizer_folder: Path,
) -> Path:
    output = tmp_path_factory.mktemp("base") / "model"
    return train(shards, stage.model_copy(update={"max_steps": 2}), small, output, tokenizer_folder).output


@pytest.fixture(scope="module")
def pretrained(
    tmp_path_factory: pytest.TempPathFactory, base: Path, shards: Path, held_out: Path, lora: StageTraining
) -> TrainingResult:
    return train(shards, lora, base, tmp_path_factory.mktemp("cpt") / "model", held_out=held_out)


def _logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


def _plain(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def _unmerged(base: Path, output: Path) -> PreTrainedModel:
    return PeftModel.from_pretrained(_plain(base), output / "adapter").eval()


def test_an_adapter_learns_and_merges_exactly(base: Path, pretrained: TrainingResult) -> None:
    assert pretrained.evaluations[-1].total.loss < pretrained.evaluations[0].total.loss
    merged = _plain(pretrained.output)
    torch.testing.assert_close(
        _logits(merged), _logits(_unmerged(base, pretrained.output)), rtol=0, atol=1e-4
    )
    assert not torch.allclose(_logits(merged), _logits(_plain(base)), atol=1e-2)
    assert merged.lm_head.weight is merged.model.embed_tokens.weight
    assert merged.generate(IDS, max_new_tokens=2, min_new_tokens=2).shape[1] == IDS.shape[1] + 2


def test_one_adapter_goes_through_both_stages(
    base: Path, pretrained: TrainingResult, held_out: Path, lora: StageTraining, tmp_path: Path
) -> None:
    continued = lora.model_copy(update={"adapter": Adapter(rank=4, start="continue")})
    tuned = train(held_out, continued, pretrained.output, tmp_path / "sft", held_out=held_out)
    start = pretrained.evaluations[-1].total.loss
    assert tuned.evaluations[0].total.loss == pytest.approx(start, rel=1e-4)
    torch.testing.assert_close(
        _logits(_plain(tuned.output)), _logits(_unmerged(base, tuned.output)), rtol=0, atol=1e-4
    )


def test_task_adapters_sit_on_the_domain_adapter(
    base: Path, pretrained: TrainingResult, held_out: Path, lora: StageTraining, tmp_path: Path
) -> None:
    domain = tmp_path / "kept" / "adapter"  # by itself it is enough to make the domain's model again
    shutil.copytree(pretrained.output / "adapter", domain)
    stages = {"one": lora, "other": lora.model_copy(update={"adapter": Adapter(rank=2), "seed": 5})}
    tuned = {
        name: train(held_out, stage, pretrained.output, tmp_path / name).output
        for name, stage in stages.items()
    }
    remade = PeftModel.from_pretrained(_plain(base), domain).merge_and_unload()
    torch.testing.assert_close(_logits(remade), _logits(_plain(pretrained.output)), rtol=0, atol=1e-4)
    both = PeftModel.from_pretrained(remade, tuned["one"] / "adapter", "one").eval()
    both.load_adapter(tuned["other"] / "adapter", "other")
    for name, output in tuned.items():
        both.set_adapter(name)
        merged = _plain(output)
        torch.testing.assert_close(_logits(merged), _logits(both), rtol=0, atol=1e-4)
        assert merged.lm_head.weight is merged.model.embed_tokens.weight
    one, other = (_logits(_plain(output)) for output in tuned.values())
    assert not torch.allclose(one, other, atol=1e-2)


def test_a_resumed_adapter_continues_identically(
    base: Path, pretrained: TrainingResult, shards: Path, held_out: Path, lora: StageTraining, tmp_path: Path
) -> None:
    first = checkpoints(pretrained.output)[0]
    shutil.copytree(first, tmp_path / "run" / first.name)
    resumed = train(shards, lora, base, tmp_path / "run", held_out=held_out, resume=True)
    assert resumed.final_loss == pretrained.final_loss
    assert torch.equal(_logits(_plain(resumed.output)), _logits(_plain(pretrained.output)))


def test_a_checkpoint_of_an_adapter_opens_in_transformers(pretrained: TrainingResult) -> None:
    last = checkpoints(pretrained.output)[-1]
    torch.testing.assert_close(_logits(_plain(last)), _logits(_plain(pretrained.output)), rtol=0, atol=1e-4)


def test_impossible_adapters_are_refused(
    base: Path, shards: Path, small: SmallModel, stage: StageTraining, tmp_path: Path
) -> None:
    def with_adapter(**settings: str) -> StageTraining:
        return stage.model_copy(update={"adapter": Adapter(**settings)})

    with pytest.raises(ValueError, match="new"):
        train(shards, with_adapter(), small, tmp_path / "a")
    with pytest.raises(ValueError, match="no adapter to continue"):
        train(shards, with_adapter(start="continue"), base, tmp_path / "b")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"GPU|bitsandbytes"):
            train(shards, with_adapter(kind="qlora"), base, tmp_path / "c")


def test_the_base_is_not_touched(base: Path, pretrained: TrainingResult) -> None:
    adapted, before = _unmerged(base, pretrained.output), load_model(base)
    assert torch.equal(adapted.get_input_embeddings().weight, before.get_input_embeddings().weight)

"""Whole runs: result, resume after a kill, refusals."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.trainers.killing import train_and_kill
from tests.trainers.metrics_logs import metrics_log, steps
from tests.trainers.shards_folder import documents, pack, write_shards
from trainers.checkpoint import checkpoints, only_training_in
from trainers.config import SmallModel, StageTraining
from trainers.errors import ResumeError
from trainers.events import Evaluated, StepEnds, TrainingEvent
from trainers.result import TrainingResult, read_result
from trainers.train import train


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    small: SmallModel,
    stage: StageTraining,
) -> TrainingResult:
    output = tmp_path_factory.mktemp("undisturbed") / "model"
    return train(shards, stage, small, output, tokenizer_folder, held_out)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _same_weights(one: Path, other: Path) -> bool:
    first, second = _weights(one), _weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_training_lowers_the_loss_of_every_group(undisturbed: TrainingResult) -> None:
    start, *_, end = undisturbed.evaluations
    assert (start.step, end.step) == (0, undisturbed.steps)
    assert all(end.groups[group].loss < start.groups[group].loss for group in start.groups)
    assert all(end.groups[group].bits_per_byte < start.groups[group].bits_per_byte for group in start.groups)


def test_the_result_can_be_read_back(undisturbed: TrainingResult) -> None:
    assert read_result(undisturbed.output) == undisturbed


def test_each_step_is_in_the_metrics_log(undisturbed: TrainingResult) -> None:
    lines = steps(undisturbed.output)
    assert [line["step"] for line in lines] == list(range(1, undisturbed.steps + 1))
    assert lines[-1]["tokens"] == undisturbed.tokens


def test_the_output_and_its_checkpoints_open_in_plain_transformers(undisturbed: TrainingResult) -> None:
    kept = checkpoints(undisturbed.output)
    assert len(kept) == 2
    for folder in (undisturbed.output, *kept):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder)
        inputs = tokenizer("w1 w2", return_tensors="pt")
        generated = model.generate(inputs.input_ids, max_new_tokens=3, min_new_tokens=3, do_sample=False)
        assert generated.shape == (1, 5)
        assert model.generation_config.eos_token_id == 0
    assert _same_weights(undisturbed.output, kept[-1])


def test_accumulation_and_micro_batches_change_nothing_but_rounding(
    undisturbed: TrainingResult, tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    # Rows have unequal numbers of trained tokens, so a mean of means over micro batches would differ.
    one_by_one = train(shards, stage.model_copy(update={"micro_batch_rows": 1}), small, tmp_path / "other")
    losses = [[line["loss"] for line in steps(r.output)] for r in (undisturbed, one_by_one)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_a_killed_run_continues_identically(
    undisturbed: TrainingResult,
    tmp_path: Path,
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    small: SmallModel,
    stage: StageTraining,
) -> None:
    output = tmp_path / "killed"
    stage = stage.model_copy(update={"save_every": 2})
    for step in (3, 9):
        train_and_kill(step, shards, stage, small, output, tokenizer_folder, held_out)
    resumed = train(shards, stage, small, output, tokenizer_folder, held_out, resume=True)
    assert _same_weights(output, undisturbed.output)
    assert metrics_log(output) == metrics_log(undisturbed.output)
    assert resumed.final_loss == undisturbed.final_loss
    assert train(shards, stage, small, output, resume=True) == resumed


def test_a_run_goes_on_with_another_batch_size(
    tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    first = train(shards, stage.model_copy(update={"max_steps": 5, "save_every": 5}), small, tmp_path / "run")
    (tmp_path / "run" / "training.json").unlink()
    rest = stage.model_copy(update={"rows_per_step": 7, "micro_batch_rows": 3})
    second = train(shards, rest, small, tmp_path / "run", resume=True)
    assert first.rows == 20
    lines = steps(tmp_path / "run")
    assert lines[-1]["tokens"] == second.tokens
    assert second.steps == 5 + -(-(second.rows - 20) // 7)


def test_listeners_are_told_each_step_and_evaluation(
    shards: Path,
    held_out: Path,
    small: SmallModel,
    stage: StageTraining,
    tokenizer_folder: Path,
    tmp_path: Path,
) -> None:
    heard: list[TrainingEvent] = []
    short = stage.model_copy(update={"max_steps": 3})
    result = train(
        shards, short, small, tmp_path / "run", tokenizer_folder, held_out, listeners=[heard.append]
    )
    steps = [event for event in heard if isinstance(event, StepEnds)]
    assert [event.step for event in steps] == [1, 2, 3] and steps[-1].left_seconds == 0
    assert (steps[-1].tokens, steps[-1].loss) == (result.tokens, result.final_loss)
    assert steps[-1].tokens_per_second > 0
    scores = [event for event in heard if isinstance(event, Evaluated)]
    assert [event.step for event in scores] == [each.step for each in result.evaluations]
    assert scores[-1].loss == result.evaluations[-1].total.loss
    assert scores[-1].groups.keys() == result.evaluations[-1].groups.keys()


def test_an_existing_run_is_not_overwritten(
    undisturbed: TrainingResult, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    with pytest.raises(ResumeError, match="--resume"):
        train(shards, stage, small, undisturbed.output)


def test_two_runs_never_share_an_output(
    tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    with only_training_in(tmp_path / "run"), pytest.raises(ResumeError, match="Another process"):
        train(shards, stage, small, tmp_path / "run")


def test_other_shards_are_refused(
    undisturbed: TrainingResult, tmp_path: Path, small: SmallModel, stage: StageTraining
) -> None:
    others = write_shards(tmp_path / "others", pack(documents(60, seed=9)), seed=9)
    with pytest.raises(ResumeError, match="shards with the fingerprint"):
        train(others, stage, small, undisturbed.output, resume=True)
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "checkpoint-10").symlink_to(checkpoints(undisturbed.output)[-1])
    with pytest.raises(ResumeError, match="fingerprint"):
        train(others, stage, small, unfinished, resume=True)


def test_another_optimizer_is_refused(
    undisturbed: TrainingResult, tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    (tmp_path / "checkpoint-10").symlink_to(checkpoints(undisturbed.output)[-1])
    other = stage.optimizer.model_copy(update={"lr": 0.5})
    with pytest.raises(ResumeError, match="`optimizer`"):
        train(shards, stage.model_copy(update={"optimizer": other}), small, tmp_path, resume=True)
    finished = undisturbed.output
    with pytest.raises(ResumeError, match="`optimizer`"):
        train(shards, stage.model_copy(update={"optimizer": other}), small, finished, resume=True)


def test_another_start_is_refused(
    undisturbed: TrainingResult, tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    start = tmp_path / "start"
    shutil.copytree(undisturbed.output, start)
    short = stage.model_copy(update={"max_steps": 1})
    train(shards, short, start, tmp_path / "second")
    train(shards, short, start, tmp_path / "second", resume=True)
    retrained = checkpoints(undisturbed.output)[0] / "model.safetensors"
    shutil.copy(retrained, start / "model.safetensors")
    with pytest.raises(ResumeError, match="started from another model"):
        train(shards, short, start, tmp_path / "second", resume=True)


def test_a_model_that_is_not_there_is_told(
    tmp_path: Path, shards: Path, tokenizer_folder: Path, stage: StageTraining
) -> None:
    with pytest.raises(ValueError, match="nowhere cannot be loaded"):
        train(shards, stage, tmp_path / "nowhere", tmp_path / "run", tokenizer_folder)


def test_a_second_stage_starts_from_the_first(
    undisturbed: TrainingResult, tmp_path: Path, held_out: Path, stage: StageTraining
) -> None:
    second = train(held_out, stage, undisturbed.output, tmp_path / "second", held_out=held_out)
    assert second.evaluations[0].total.loss == pytest.approx(undisturbed.evaluations[-1].total.loss, rel=1e-6)
    assert AutoTokenizer.from_pretrained(second.output).eos_token == "<end>"


def test_bfloat16_learns_like_float32(
    undisturbed: TrainingResult, tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    rounded = train(shards, stage.model_copy(update={"dtype": "bfloat16"}), small, tmp_path / "rounded")
    assert rounded.final_loss == pytest.approx(undisturbed.final_loss, rel=0.05)
    assert all(tensor.dtype == torch.float32 for tensor in _weights(rounded.output).values())


def test_a_diverging_run_stops(tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining) -> None:
    optimizer = stage.optimizer.model_copy(update={"lr": 1e30})
    with pytest.raises(FloatingPointError, match=r"optimizer\.lr"):
        train(shards, stage.model_copy(update={"optimizer": optimizer}), small, tmp_path / "diverging")


def test_new_weights_depend_on_the_seed_alone(
    undisturbed: TrainingResult, tmp_path: Path, shards: Path, small: SmallModel, stage: StageTraining
) -> None:
    torch.manual_seed(12345)
    again = train(shards, stage, small, tmp_path / "again")
    assert _same_weights(again.output, undisturbed.output)
    assert dataclasses.replace(again, output=tmp_path).steps == undisturbed.steps

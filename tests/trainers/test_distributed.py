"""Any number of processes trains the same rows in the same steps, and may take over a run."""

from pathlib import Path

import pytest

from tests.trainers.killing import launch, train_and_kill
from tests.trainers.metrics_logs import metrics_log
from trainers.config import SmallModel, StageTraining
from trainers.train import train


def test_one_then_two_then_one_process_train_the_same_rows(
    shards: Path,
    held_out: Path,
    tokenizer_folder: Path,
    small: SmallModel,
    stage: StageTraining,
    tmp_path: Path,
) -> None:
    stage = stage.model_copy(update={"save_every": 2, "micro_batch_rows": 1})
    undisturbed = train(shards, stage, small, tmp_path / "undisturbed", tokenizer_folder, held_out)
    output = tmp_path / "changing"
    train_and_kill(3, shards, stage, small, output, tokenizer_folder, held_out)
    train_and_kill(7, shards, stage, small, output, tokenizer_folder, held_out, processes=2)
    run = launch(1, shards, stage, small, output, tokenizer_folder, held_out)
    assert run.wait() == 0
    found, expected = metrics_log(output), metrics_log(undisturbed.output)
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    for one, other in zip(found, expected, strict=True):
        if "evaluation" in one:
            assert one["evaluation"]["total"]["loss"] == pytest.approx(
                other["evaluation"]["total"]["loss"], rel=1e-4
            )
        else:
            # A step's loss depends on its rows; other rows or other weights for them would show.
            assert one == pytest.approx(other, rel=1e-4)

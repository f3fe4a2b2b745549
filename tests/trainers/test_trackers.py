"""TensorBoard and Weights & Biases get what the metrics log gets, across a resume."""

import importlib.util
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainers.checkpoint import checkpoints
from trainers.config import SmallModel, StageTraining
from trainers.train import train


def _metrics_log(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def _curve(output: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def _records(file: Path) -> Iterator[bytes]:
    """The records of an offline run: LevelDB's log format, after a header of seven bytes."""
    data, place, parts = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # a block's last bytes hold no record
            place += 32768 - place % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)  # kind: whole, first, middle, last
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):
            yield parts
            parts = b""


def _begin_again_at(step: int, output: Path) -> None:
    """As after a kill: what was written after the checkpoint of `step` is still there, the result is not."""
    (output / "training.json").unlink()
    for folder in checkpoints(output):
        if int(folder.name.split("-")[1]) > step:
            shutil.rmtree(folder)


def test_tensorboard_shows_the_metrics_log(
    shards: Path, held_out: Path, small: SmallModel, stage: StageTraining, tmp_path: Path
) -> None:
    stage = stage.model_copy(
        update={"log_to": ("tensorboard",), "max_steps": 6, "save_every": 2, "keep_checkpoints": 9}
    )
    train(shards, stage, small, tmp_path, held_out=held_out)
    _begin_again_at(2, tmp_path)
    train(shards, stage, small, tmp_path, held_out=held_out, resume=True)
    lines = _metrics_log(tmp_path)
    for name in ("loss", "grad_norm", "lr", "tokens", "tokens_per_second", "memory"):
        expected = [(line["step"], line[name]) for line in lines if name in line]
        assert [step for step, _ in expected] == [1, 2, 3, 4, 5, 6]
        assert _curve(tmp_path, f"train/{name}") == [(step, pytest.approx(value)) for step, value in expected]
    evaluations = [line["evaluation"] for line in lines if "evaluation" in line]
    for name in ("loss", "bits_per_byte"):
        assert _curve(tmp_path, f"held_out/web/{name}") == [
            (found["step"], pytest.approx(found["groups"]["web"][name])) for found in evaluations
        ]
        assert len(_curve(tmp_path, f"held_out/total/{name}")) == len(evaluations)


def test_weights_and_biases_continues_its_run(
    shards: Path,
    held_out: Path,
    small: SmallModel,
    stage: StageTraining,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    stage = stage.model_copy(update={"log_to": ("wandb",), "max_steps": 4, "save_every": 2})
    train(shards, stage, small, tmp_path, held_out=held_out)
    _begin_again_at(2, tmp_path)
    train(shards, stage, small, tmp_path, held_out=held_out, resume=True)
    files = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert [file.name for file in files] == [f"run-{(tmp_path / 'wandb_run_id').read_text()}.wandb"] * 2
    found: dict[int, float] = {}
    for file in files:
        for data in _records(file):
            record = Record.FromString(data)
            numbers = {
                item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item
            }
            if "train/loss" in numbers:
                found[numbers["step"]] = numbers["train/loss"]
    assert found == {line["step"]: line["loss"] for line in _metrics_log(tmp_path) if "loss" in line}


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_library_is_named_with_its_mend(
    name: str,
    shards: Path,
    small: SmallModel,
    stage: StageTraining,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda sought: None if sought == name else found(sought))
    with pytest.raises(ValueError, match=f"pip install {name}"):
        train(shards, stage.model_copy(update={"log_to": (name,)}), small, tmp_path)

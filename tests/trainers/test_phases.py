"""Each phase trains its own weights and leaves the others' values alone."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trainers.checkpoint import checkpoints
from trainers.config import Adapter, Phase, SmallModel, StageTraining
from trainers.phases import phase_at
from trainers.train import train

PHASES = (
    Phase(train="embeddings", steps=3),
    Phase(train="top_layers", layers=1, steps=2),
    Phase(train="all"),
)


def _changed(before: Path, after: Path) -> set[str]:
    one, other = (load_file(folder / "model.safetensors") for folder in (before, after))
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    places = {
        "model.embed_tokens": "embeddings",
        "model.norm": "norm",
        "model.layers.0": "0",
        "model.layers.1": "1",
    }
    return {place for name in changed for start, place in places.items() if name.startswith(start + ".")}


def test_phases_train_what_they_name(
    shards: Path, small: SmallModel, stage: StageTraining, tmp_path: Path
) -> None:
    stage = stage.model_copy(
        update={"phases": PHASES, "max_steps": 7, "save_every": 1, "keep_checkpoints": 9}
    )
    saved = checkpoints(train(shards, stage, small, tmp_path / "run").output)
    assert _changed(saved[0], saved[2]) == {"embeddings"}
    assert _changed(saved[2], saved[4]) == {"embeddings", "norm", "1"}
    assert _changed(saved[4], saved[6]) == {"embeddings", "norm", "0", "1"}


def test_embeddings_have_their_own_rate(
    shards: Path, small: SmallModel, stage: StageTraining, tmp_path: Path
) -> None:
    optimizer = stage.optimizer.model_copy(update={"embedding_lr": 1e-30})
    stage = stage.model_copy(
        update={"optimizer": optimizer, "max_steps": 3, "save_every": 1, "keep_checkpoints": 9}
    )
    saved = checkpoints(train(shards, stage, small, tmp_path / "run").output)
    assert _changed(saved[0], saved[2]) == {"norm", "0", "1"}


def test_a_phase_has_its_own_rate(
    shards: Path, small: SmallModel, stage: StageTraining, tmp_path: Path
) -> None:
    phases = (Phase(train="all", steps=3, lr=1e-30), Phase(train="all"))
    stage = stage.model_copy(
        update={"phases": phases, "max_steps": 5, "save_every": 1, "keep_checkpoints": 9}
    )
    saved = checkpoints(train(shards, stage, small, tmp_path / "run").output)
    assert _changed(saved[0], saved[2]) == set()
    assert _changed(saved[2], saved[4]) == {"embeddings", "norm", "0", "1"}


def test_phases_follow_one_another() -> None:
    assert [phase_at(step, PHASES, 100).train for step in (0, 2, 3, 4, 5, 99)] == [
        *["embeddings"] * 2,
        *["top_layers"] * 2,
        *["all"] * 2,
    ]
    shares = (Phase(train="embeddings", steps="10%"), Phase(train="all"))
    assert [phase_at(step, shares, 50).train for step in (4, 5)] == ["embeddings", "all"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"phases": [Phase(train="all", steps=3)]},
        {"phases": [Phase(train="embeddings"), Phase(train="all")]},
        {"phases": [Phase(train="all")], "adapter": Adapter()},
    ],
)
def test_impossible_phases_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        StageTraining(**wrong)
    with pytest.raises(ValueError):
        Phase(train="top_layers")
    with pytest.raises(ValueError):
        Phase(train="all", layers=2)

"""Training reads shards and checkpoints only if they are what was written."""

import os
from pathlib import Path

import pytest
from shards_folder import documents, pack, write_shards

from mixers.shards import Shards
from trainers.config import SmallModel, StageTraining
from trainers.errors import ResumeError
from trainers.integrity import HASHES, damaged_files, require_right_shards, require_whole_checkpoint
from trainers.train import train


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def own_shards(tmp_path) -> Path:
    return write_shards(tmp_path / "shards", pack(documents(40, seed=3)))


@pytest.mark.parametrize("name", ["data-00000-of-00001.arrow", "segments.parquet", "ledger.json"])
def test_a_flipped_byte_in_shards_is_found_before_training(own_shards, tmp_path, name):
    flip(own_shards / name)
    with pytest.raises(ValueError, match=name):
        train(own_shards, StageTraining(), SmallModel(hidden_size=16, layers=1), tmp_path / "output")
    assert not (tmp_path / "output").exists()


def test_shards_that_were_right_are_hashed_again_only_after_a_change(own_shards, tmp_path, monkeypatch):
    shards = Shards.open(own_shards)
    require_right_shards(shards, tmp_path)
    with monkeypatch.context() as patch:
        patch.delattr(Shards, "verify")
        require_right_shards(shards, tmp_path)
    data = own_shards / "data-00000-of-00001.arrow"
    before = data.stat()
    flip(data)
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))  # the size and the time of before
    with pytest.raises(ValueError, match="has changed"):
        require_right_shards(shards, tmp_path)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, own_shards):
    output = tmp_path / "output"
    settings = StageTraining(rows_per_step=4, max_steps=4, save_every=2)
    train(own_shards, settings, SmallModel(hidden_size=16, layers=1), output)
    last = output / "checkpoint-4"
    assert damaged_files(last) == []
    (output / "training.json").unlink()
    flip(last / "model.safetensors")
    with pytest.raises(ResumeError, match=r"checkpoint-4/model\.safetensors is not what was written"):
        train(own_shards, settings, SmallModel(hidden_size=16, layers=1), output, resume=True)
    (last / HASHES).unlink()
    with pytest.raises(ResumeError, match=HASHES):
        require_whole_checkpoint(last)

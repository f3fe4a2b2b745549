"""`metrics.jsonl` loses nothing when it cannot be written again."""

import os
from pathlib import Path

import pytest

from tests.trainers.metrics_logs import steps
from trainers.metrics_log import MetricsLog


def test_a_rewind_that_fails_leaves_the_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, writes=True)
    for step in (1, 2, 3):
        log.add_step(step, loss=1.0 / step, tokens_per_second=1.0, memory=1.0)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            MetricsLog(path, writes=True).rewind(2)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    again = MetricsLog(path, writes=True)
    again.rewind(2)
    assert [line["step"] for line in steps(tmp_path)] == [1, 2]
    assert again.last_loss == 0.5

"""Trainings that share a machine's accelerators: each has one of its own, and the dead hold none."""

import multiprocessing
import time
from pathlib import Path

import pytest

from pipelines.stages.trials.accelerator import one_of

NAMES = ["0", "MIG-a"]
SPAWN = multiprocessing.get_context("spawn")


def hold(folder: Path, name: str) -> None:
    """Say which one is held, in a file, until that is removed."""
    with one_of(NAMES, folder / "held") as number:
        said = folder / name
        said.with_suffix(".new").write_text(str(number))
        said.with_suffix(".new").rename(said)
        while said.exists():
            time.sleep(0.02)


@pytest.fixture
def started(tmp_path):
    processes = []

    def start(name: str):
        processes.append(SPAWN.Process(target=hold, args=(tmp_path, name), daemon=True))
        processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.join()


def said(path: Path) -> str:
    for _ in range(3000):
        if path.exists():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError("nothing is held")


def test_each_has_one_of_its_own_and_others_wait_for_one_that_ends_or_dies(tmp_path, started):
    first, _ = started("first"), started("second")
    assert {said(tmp_path / "first"), said(tmp_path / "second")} == {"0", "1"}

    started("third")
    time.sleep(2)
    assert not (tmp_path / "third").exists(), "none is free"
    first.kill()
    assert said(tmp_path / "third") == said(tmp_path / "first")

    started("fourth")
    time.sleep(2)
    assert not (tmp_path / "fourth").exists(), "none is free"
    of_second = said(tmp_path / "second")
    (tmp_path / "second").unlink()
    assert said(tmp_path / "fourth") == of_second


def test_it_is_let_go_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), one_of(NAMES[:1], tmp_path / "held"):
        raise RuntimeError
    with one_of(NAMES[:1], tmp_path / "held") as number:
        assert number == 0

"""Trainings that share a machine's accelerators: each has one of its own, and the dead hold none."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event

import pytest

from pipelines.stages.trials.accelerator import one_of

NAMES = ["0", "MIG-a"]
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "held"


def hold(folder, held, end: Event) -> None:
    with one_of(NAMES, folder) as number:
        held.put((number, os.getpid()))
        end.wait()


def started(folder, held, end):
    process = FORK.Process(target=hold, args=(folder, held, end))
    process.start()
    return process


def test_each_has_one_of_its_own_and_a_third_waits_for_one_that_ends_or_dies(folder):
    held = FORK.Queue()
    ends = [FORK.Event() for _ in range(4)]
    processes = [started(folder, held, end) for end in ends[:2]]
    first, second = held.get(timeout=30), held.get(timeout=30)
    assert {first[0], second[0]} == {0, 1}

    processes.append(started(folder, held, ends[2]))
    time.sleep(0.5)
    assert held.empty(), "none is free"
    os.kill(first[1], signal.SIGKILL)
    third = held.get(timeout=30)
    assert third[0] == first[0]

    processes.append(started(folder, held, ends[3]))
    time.sleep(0.5)
    assert held.empty()
    for end in ends:
        end.set()
    assert held.get(timeout=30)[0] in (0, 1)
    for process in processes:
        process.join(30)
        assert not process.is_alive()


def test_it_is_let_go_after_an_error(folder):
    with pytest.raises(RuntimeError), one_of(NAMES[:1], folder):
        raise RuntimeError
    with one_of(NAMES[:1], folder) as number:
        assert number == 0

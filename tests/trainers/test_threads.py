"""Threads are as many as cores are free, and a caller's own number is left alone."""

import math
import time
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.threads import Usage, allowed_cores, free_cores, quota, usage
from trainers.train import train

START = Usage(100.0, 5000.0, 30.0)


def after(seconds: float, others: float, own: float) -> Usage:
    """A later reading, between which others kept `others` cores busy and this process `own`."""
    return Usage(START.clock + seconds, START.all + (others + own) * seconds, START.own + own * seconds)


@pytest.mark.parametrize(
    ("cores", "others", "own", "limit", "threads"),
    [
        (2, 0.0, 2.0, math.inf, 2),  # alone
        (2, 0.1, 1.9, math.inf, 2),  # what a desktop does besides
        (2, 1.0, 1.0, math.inf, 1),
        (2, 0.67, 1.33, math.inf, 1),  # two threads and another program share two cores
        (2, 1.9, 0.1, math.inf, 1),  # ten others
        (64, 10.0, 54.0, math.inf, 54),
        (64, 0.0, 2.0, 2.0, 2),  # a container
        (64, 0.0, 2.0, 1.5, 2),
        (64, 0.0, 0.5, 0.5, 1),
        (1, 1.0, 0.0, math.inf, 1),
        (4, 0.0, 1.0, math.inf, 4),  # the others have ended
    ],
)
def test_threads_are_the_free_cores(cores, others, own, limit, threads):
    assert free_cores(cores, START, after(10.0, others, own), limit) == threads


@given(
    cores=st.integers(1, 256),
    others=st.floats(-1, 300),
    own=st.floats(0, 256),
    limit=st.floats(0.01, 300) | st.just(math.inf),
    seconds=st.floats(0.0, 100),
)
def test_there_is_always_one_and_never_more_than_cores(cores, others, own, limit, seconds):
    now = after(seconds, others, own)
    threads = free_cores(cores, START, now, limit)
    assert 1 <= threads <= cores
    assert threads < limit + 1
    assert threads >= free_cores(cores, START, now._replace(all=now.all + 1.0), limit)


def test_this_system_tells_or_is_left_alone():
    cores = allowed_cores()
    assert cores and quota() > 0
    first, second = usage(cores), usage(cores)
    if first is not None and second is not None:
        assert second.clock >= first.clock and second.all >= first.all and second.own >= first.own


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("variable", "wanted"), [(None, [1, 2]), ("2", [2])])
def test_beside_busy_programs_one_thread_trains_and_the_number_is_restored(
    two_threads, shards, small, stage, tokenizer_folder, tmp_path, monkeypatch, capsys, variable, wanted
):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    busy = lambda cores: Usage(time.monotonic(), len(cores) * time.monotonic(), 0.0)  # noqa: E731
    monkeypatch.setattr("trainers.threads.usage", busy)
    numbers, set_number = [], torch.set_num_threads

    def record(number: int) -> None:
        numbers.append(number)
        set_number(number)

    monkeypatch.setattr(torch, "set_num_threads", record)
    train(shards, stage.model_copy(update={"max_steps": 2}), small, tmp_path / "model", tokenizer_folder)
    assert numbers == wanted
    assert torch.get_num_threads() == 2
    assert ("computing with 1 of 2 threads" in capsys.readouterr().err) == (variable is None)

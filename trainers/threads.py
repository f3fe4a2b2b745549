"""How many threads compute on a CPU: one for each core that is free.

The threads of an operation wait for the slowest of them, so one that shares its core with another program
holds up all. On two cores beside ten busy programs one thread does a tenth more than two that sleep while
they wait, and 19 times as much as two that spin, as they do unless `OMP_WAIT_POLICY=PASSIVE` is set in time.
"""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from transformers import TrainerCallback

FIRST_LOOK = 0.5
"""Seconds over which the use of cores is measured before training."""

LATER_LOOK = 5.0
"""The same during training."""

_CHOSEN_BY_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Usage(NamedTuple):
    """Seconds since some moment: by the clock, of all programs on the cores, and of this process."""

    clock: float
    all: float
    own: float


def free_cores(cores: int, before: Usage, now: Usage, quota: float = math.inf) -> int:
    """How many threads to compute with.

    Args:
        cores: Cores that this process may use.
        before: An earlier reading.
        now: A later one.
        quota: Cores' worth of time that the process is given, as to containers.

    Returns:
        At least one, and no more than the cores that other programs left free between the readings.
    """
    others = (now.all - before.all - (now.own - before.own)) / max(now.clock - before.clock, 1e-3)
    return max(1, min(math.floor(cores - max(others, 0.0) + 0.5), math.ceil(min(quota, cores))))


class FreeCores(TrainerCallback):
    """Lets torch compute on as many cores as are free, and looks again every few seconds.

    Torch's own number is the most, and is set again at the end. Nothing is done where an environment variable
    says how many, and where the system does not tell how its cores are used.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._reading: Usage | None = None
        self._before = torch.get_num_threads()

    def __enter__(self) -> Self:
        """Choose the number of threads for the start."""
        if not (torch.cuda.is_available() or any(name in os.environ for name in _CHOSEN_BY_USER)):
            self._reading = usage(allowed_cores())
            time.sleep(FIRST_LOOK)
            self._choose(FIRST_LOOK)
        return self

    def __exit__(self, *_error: object) -> None:
        """Set the number of threads as it was before."""
        torch.set_num_threads(self._before)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Choose it again, if the last choice is old enough."""
        self._choose(LATER_LOOK)

    def _choose(self, seconds: float) -> None:
        if self._reading is None or time.monotonic() - self._reading.clock < seconds:
            return
        cores = allowed_cores()
        before, self._reading = self._reading, usage(cores)
        if self._reading is None:
            return
        threads = min(self._before, free_cores(len(cores), before, self._reading, quota()))
        if threads != torch.get_num_threads():
            torch.set_num_threads(threads)
            self._say(f"computing with {threads} of {self._before} threads, one for each free core")


def allowed_cores() -> set[int]:
    """The cores that the system lets this process run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def quota() -> float:
    """Cores' worth of time that the container may use; infinite where there is no such limit."""
    try:
        most, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.inf if most == "max" else int(most) / int(period)
    except (OSError, ValueError):
        return math.inf


def usage(cores: set[int]) -> Usage | None:
    """A reading of these cores, programs of lower priority left out; None where there is no /proc/stat."""
    try:
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    except OSError:
        return None
    names = {f"cpu{core}" for core in cores}
    busy = 0
    for name, *fields in lines:
        if name in names:
            user, _nice, system, _idle, _wait, interrupt, soft_interrupt, *_ = map(int, fields)
            busy += user + system + interrupt + soft_interrupt
    own = os.times()
    return Usage(time.monotonic(), busy / _TICKS, own.user + own.system)

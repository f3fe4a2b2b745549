"""Makes the events of a run out of what its schedule says, and hands them to those who show them."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.execution.counts import Counts
from pipelines.execution.events import (
    Cached,
    Event,
    Listener,
    Noted,
    RunBegins,
    RunEnds,
    StageBegins,
    StageEnds,
    StageRuns,
    TaskEnds,
    TaskTells,
    Warned,
)
from pipelines.execution.manifest import Receipt
from pipelines.execution.memory import resident_bytes
from pipelines.execution.shared_pass import SharedPass
from pipelines.execution.stage import Stage
from pipelines.execution.time_left import TimeLeft
from pipelines.execution.told import COMPILING, Told

SECONDS_BETWEEN_LINES = 10.0
"""A stage says at least so often that it goes on."""
SECONDS_BETWEEN_LOOKS = 1.0
"""At memory, and at which stages have been silent."""


@dataclass
class _Running:
    """A stage that was begun."""

    stage: Stage
    tasks: int
    done: int
    """By earlier runs too."""
    before: int
    """Of these, by earlier runs."""
    started: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)
    counts: Counts = field(default_factory=Counts)
    compiles: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def share(self) -> float:
        """Of what this run had to do."""
        return (self.done - self.before) / max(self.tasks - self.before, 1)

    @property
    def rate(self) -> tuple[float | None, str]:
        """What it does in a second, with as many tasks at once as it had; its unit."""
        seconds = max(self.seconds, 1e-3)
        text = self.counts.number("text_bytes_read") + self.counts.number("text_bytes_written")
        if text:
            return text / seconds, "text_bytes"
        unit, flow = max(self.counts.flows.items(), key=lambda item: item[1].left, default=("", None))
        return (flow.left / seconds, unit) if flow and flow.left else (None, "")


class Progress:
    """The events of one run. Use as a context manager; but for its clock it is used by one thread."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._started = time.monotonic()
        self._running: dict[str, _Running] = {}
        self._stages: set[str] = set()
        self._finished: set[str] = set()
        self._left = TimeLeft()
        self._memory: int | None = None
        self._peak: int | None = None

    def __enter__(self) -> Self:
        """From here on stages that run say so from time to time."""
        threading.Thread(target=self._look_often, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say how the run ended."""
        self._over.set()
        self._emit(
            RunEnds(
                seconds=time.monotonic() - self._started,
                finished=len(self._finished),
                stages=len(self._stages),
                memory_bytes=self._peak,
                error="" if kind is None else f"{kind.__name__}: {error}",
                traceback="" if kind is None else "".join(traceback.format_exception(kind, error, trace)),
            )
        )

    def expect(self, stages: Sequence[Stage], logs: Path, seconds: Mapping[str, float]) -> None:
        """These stages come, and take about so many seconds by the names of their folders, where known."""
        self._stages = {stage.folder_name for stage in stages}
        self._left.expect({stage.folder_name: stage.name for stage in stages}, seconds)
        self._emit(RunBegins(stages=len(self._stages), logs=logs))

    def cached(self, stage: Stage) -> None:
        """A stage was found finished."""
        if stage.folder_name not in self._finished:
            self._finished.add(stage.folder_name)
            self._left.cached(stage.folder_name)
            self._emit(
                Cached(
                    stage=stage.label,
                    kind=stage.name,
                    finished=len(self._finished),
                    stages=len(self._stages),
                )
            )

    def start(self, stage: Stage, tasks: int, done: int) -> None:
        """A stage begins; an earlier run finished `done` of its tasks."""
        members = {each.folder_name for each in _members(stage)}
        with self._lock:
            self._finished -= members
            self._left.begin(stage.folder_name, members, _kind(stage), 1 - done / max(tasks, 1))
            self._running[stage.folder_name] = _Running(stage, tasks, done, done)
            self._emit(StageBegins(stage=stage.label, kind=_kind(stage), tasks=tasks, done=done))

    def hear(self, stage: Stage, told: Told) -> None:
        """A task says how far it has come; that it compiles kernels is said once a stage."""
        running = self._running[stage.folder_name]
        compiling = told == COMPILING
        if not (compiling and running.compiles):
            running.compiles |= compiling
            self._emit(TaskTells(stage=stage.label, message=told.line, compiling=compiling))

    def advance(self, stage: Stage, receipt: Receipt, seconds: float) -> None:
        """A task ended; its stage has taken so many `seconds` of the run until now."""
        with self._lock:
            running = self._running[stage.folder_name]
            running.done += 1
            running.counts.update(receipt.counts)
            self._left.advance(stage.folder_name, seconds, running.share, running.compiles)
            self._emit(TaskEnds(task=receipt.task, **self._state(running)))

    def end(self, stage: Stage, seconds: float) -> None:
        """A stage is finished, and has taken so many `seconds` of the run."""
        with self._lock:
            running = self._running.pop(stage.folder_name)
            self._left.advance(stage.folder_name, seconds, 1.0, running.compiles)
            self._finished.update(each.folder_name for each in _members(stage))
            self._emit(StageEnds(**self._state(running)))

    def note(self, message: str) -> None:
        """Say something worth knowing."""
        self._emit(Noted(message=message))

    def warn(self, message: str) -> None:
        """Say something that should not be missed."""
        self._emit(Warned(message=message))

    def _emit(self, event: Event) -> None:
        with self._lock:
            for listener in self._listeners:
                listener(event)

    def _state(self, running: _Running) -> dict[str, Any]:
        """The fields of a StageState."""
        rate, unit = running.rate
        return {
            "stage": running.stage.label,
            "kind": _kind(running.stage),
            "tasks": running.tasks,
            "done": running.done,
            "seconds": running.seconds,
            "rate": rate,
            "unit": unit,
            "compiled": running.compiles,
            "memory_bytes": self._memory,
            "left_seconds": self._left.seconds(),
            "finished": len(self._finished),
            "stages": len(self._stages),
        }

    def _look_often(self) -> None:
        """Until the run is over."""
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            memory = resident_bytes()
            with self._lock:
                self._memory = memory
                self._peak = max(self._peak or 0, memory) if memory is not None else None
                try:
                    self._say_what_runs()
                except OSError:  # the thread of the run meets it as well, and ends
                    return

    def _say_what_runs(self) -> None:
        for running in self._running.values():
            if time.monotonic() - running.said >= SECONDS_BETWEEN_LINES and not self._over.is_set():
                running.said = time.monotonic()
                self._emit(StageRuns(**self._state(running)))


def _members(stage: Stage) -> Sequence[Stage]:
    return stage.members if isinstance(stage, SharedPass) else [stage]


def _kind(stage: Stage) -> str:
    return _members(stage)[0].name

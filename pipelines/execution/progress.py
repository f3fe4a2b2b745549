"""What is said while stages run: bars on a terminal, plain lines elsewhere, and a log in the run's folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text
from typing_extensions import override

from mixers.printable import printable
from pipelines.execution.counts import Counts
from pipelines.execution.manifest import Receipt
from pipelines.execution.shared_pass import SharedPass
from pipelines.execution.stage import Stage
from pipelines.execution.told import COMPILING, Told

SECONDS_BETWEEN_LINES = 10.0


class _TimeRemaining(TimeRemainingColumn):
    """Nothing for all stages together: how many tasks the later ones have is not known."""

    @override
    def render(self, task: Task) -> Text:
        return super().render(task) if task.fields["rate"] else Text("")


@dataclass
class _Running:
    """A stage that was begun."""

    label: str
    tasks: int
    done: int
    bar: TaskID
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    counts: Counts = field(default_factory=Counts)
    compiles: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> str:
        """What it does in a second of time, with as many tasks at once as it had, since this run began it."""
        seconds = max(self.seconds, 1e-3)
        text = self.counts.number("text_bytes_read") + self.counts.number("text_bytes_written")
        if text:
            return f"{text / 1e6 / seconds:.1f} MB/s of text"
        unit, flow = max(self.counts.flows.items(), key=lambda item: item[1].left, default=("", None))
        return f"{flow.left / seconds:,.0f} {unit}/s" if flow and flow.left else ""


class Progress:
    """Progress of one run: a bar for each stage that runs, one for all. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = RichProgress(
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", justify="right", markup=False),
            TimeElapsedColumn(),
            _TimeRemaining(),
            console=console,
            disable=not console.is_terminal,
        )
        self._all: TaskID | None = None
        self._running: dict[str, _Running] = {}
        self._stages: set[str] = set()
        self._finished: set[str] = set()
        self._log: Path | None = None

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they are; what ended the run goes to the log."""
        self._bars.stop()
        if error is not None:
            self._write(f"{kind.__name__ if kind else ''}: {error}")

    def expect(self, stages: Sequence[Stage], log: Path) -> None:
        """These stages come; what is said of them is also written to a file in `log`."""
        self._stages = {stage.folder_name for stage in stages}
        self._all = self._bars.add_task("stages", total=len(self._stages), rate="")
        log.mkdir(parents=True, exist_ok=True)
        self._log = log / f"{datetime.now():%Y-%m-%dT%H-%M-%S}.log"

    def cached(self, stage: Stage) -> None:
        """A stage was found finished."""
        if stage.folder_name not in self._finished:
            self._say(f"{self._finish([stage])}{stage.label}: cached")

    def start(self, stage: Stage, tasks: int, done: int) -> None:
        """A stage begins; an earlier run finished `done` of its tasks."""
        self._finished.difference_update(each.folder_name for each in _members(stage))
        bar = self._bars.add_task(stage.label, total=tasks, completed=done, rate=" ")
        self._running[stage.folder_name] = _Running(stage.label, tasks, done, bar)
        resumed = f", {done} of them done before" if done else ""
        self._say(f"{stage.label}: {tasks} tasks{resumed}")

    def hear(self, stage: Stage, told: Told) -> None:
        """A task says how far it has come; that it compiles kernels is said once a stage."""
        running = self._running[stage.folder_name]
        if told == COMPILING and running.compiles:
            return
        running.compiles |= told == COMPILING
        self._say(f"{stage.label}: {told.line}")
        self._bars.update(running.bar, rate=told.line.partition(";")[0])

    def advance(self, stage: Stage, receipt: Receipt) -> None:
        """A task ended."""
        running = self._running[stage.folder_name]
        running.done += 1
        running.counts.update(receipt.counts)
        self._bars.update(running.bar, advance=1, rate=running.rate or " ")
        is_due = time.monotonic() - running.told > SECONDS_BETWEEN_LINES
        if is_due and running.done < running.tasks:
            running.told = time.monotonic()
            parts = [f"{running.done} of {running.tasks} tasks", running.rate]
            self._say(f"{stage.label}: {', '.join(filter(None, parts))}")

    def end(self, stage: Stage) -> None:
        """A stage is finished: a line takes the place of its bar."""
        running = self._running.pop(stage.folder_name)
        compiled = " with compiling" if running.compiles else ""
        parts = [f"{running.done} tasks in {running.seconds:.1f} s{compiled}", running.rate]
        line = f"{self._finish(_members(stage))}{stage.label}: {', '.join(filter(None, parts))}"
        self._bars.remove_task(running.bar)
        self._say(line, above_bars=True)

    def _finish(self, stages: Sequence[Stage]) -> str:
        """How many stages of how many are finished, with these."""
        self._finished.update(stage.folder_name for stage in stages)
        if self._all is not None:
            self._bars.update(self._all, completed=len(self._finished))
        return f"[{len(self._finished)} of {len(self._stages)}] "

    def warn(self, message: str) -> None:
        """Say something that should not be missed."""
        self._console.print(
            printable(f"warning: {message}"), style="yellow", highlight=False, markup=False, soft_wrap=True
        )
        self._write(f"warning: {message}")

    def _say(self, line: str, *, above_bars: bool = False) -> None:
        """A line; on a terminal bars say most of them."""
        if above_bars or not self._console.is_terminal:
            self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
        self._write(line)

    def _write(self, line: str) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{datetime.now():%H:%M:%S} {printable(line)}\n")


def _members(stage: Stage) -> Sequence[Stage]:
    return stage.members if isinstance(stage, SharedPass) else [stage]

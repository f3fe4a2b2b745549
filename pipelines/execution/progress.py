"""What is said while stages run: bars on a terminal, plain lines elsewhere, and a log in the run's folder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from mixers.printable import printable
from pipelines.execution.counts import Counts
from pipelines.execution.executors.base import COMPILING, Told
from pipelines.execution.manifest import Receipt
from pipelines.execution.stage import Stage

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Progress of one run. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = RichProgress(
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", justify="right", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar: TaskID | None = None
        self._counts = Counts()
        self._done = self._tasks = 0
        self._started = self._told = 0.0
        self._label = ""
        self._numbers: dict[str, int] = {}
        self._cached: set[str] = set()
        self._log: Path | None = None
        self._compiles = False

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
        """These stages come, in this order; what is said of them is also written to a file in `log`."""
        self._numbers = {stage.label: number for number, stage in enumerate(stages, 1)}
        log.mkdir(parents=True, exist_ok=True)
        self._log = log / f"{datetime.now():%Y-%m-%dT%H-%M-%S}.log"

    def cached(self, stage: Stage) -> None:
        """A stage was found finished."""
        if stage.label in self._cached:
            return
        self._cached.add(stage.label)
        self._say(f"{self._place(stage)}{stage.label}: cached")
        self._bars.add_task(stage.label, total=1, completed=1, rate="cached")

    def start(self, stage: Stage, tasks: int, receipts: Iterable[Receipt]) -> None:
        """A stage begins; `receipts` are of tasks that an earlier run finished."""
        self._label, self._tasks = stage.label, tasks
        self._counts, self._compiles = Counts(), False
        self._started = self._told = time.monotonic()
        self._done = len(list(receipts))
        self._bar = self._bars.add_task(stage.label, total=tasks, completed=self._done, rate="")
        resumed = f", {self._done} of them done before" if self._done else ""
        self._say(f"{self._place(stage)}{stage.label}: {tasks} tasks{resumed}")

    def hear(self, told: Told) -> None:
        """A task says how far it has come; that it compiles kernels is said once a stage."""
        if told == COMPILING and self._compiles:
            return
        self._compiles |= told == COMPILING
        self._say(f"{self._label}: {told.line}")
        if self._bar is not None:
            self._bars.update(self._bar, rate=told.line.partition(";")[0])

    def advance(self, receipt: Receipt) -> None:
        """A task ended."""
        self._done += 1
        self._counts.update(receipt.counts)
        if self._bar is not None:
            self._bars.update(self._bar, advance=1, rate=self._rate())
        if time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._say(f"{self._label}: {self._done} of {self._tasks} tasks, {self._rate()}")

    def end(self, stage: Stage) -> None:
        """A stage is finished."""
        seconds = time.monotonic() - self._started
        compiled = " with compiling" if self._compiles else ""
        parts = [f"{self._done} tasks in {seconds:.1f} s{compiled}", self._rate()]
        self._say(f"{stage.label}: {', '.join(filter(None, parts))}")

    def warn(self, message: str) -> None:
        """Say something that should not be missed."""
        self._console.print(
            printable(f"warning: {message}"), style="yellow", highlight=False, markup=False, soft_wrap=True
        )
        self._write(f"warning: {message}")

    def _place(self, stage: Stage) -> str:
        number = self._numbers.get(stage.label)
        return f"[{number} of {len(self._numbers)}] " if number else ""

    def _say(self, line: str) -> None:
        """A line where no bar shows it."""
        if not self._console.is_terminal:
            self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
        self._write(line)

    def _write(self, line: str) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{datetime.now():%H:%M:%S} {printable(line)}\n")

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        text = self._counts.number("text_bytes_read") + self._counts.number("text_bytes_written")
        if text:
            return f"{text / 1e6 / seconds:.1f} MB/s of text"
        unit, flow = max(self._counts.flows.items(), key=lambda item: item[1].left, default=("", None))
        return f"{flow.left / seconds:,.0f} {unit}/s" if flow and flow.left else ""

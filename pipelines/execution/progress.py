"""What a person sees while stages run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
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

from pipelines.execution.counts import Counts
from pipelines.execution.manifest import Receipt
from pipelines.execution.stage import Stage

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Progress of one run. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = RichProgress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", justify="right"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar: TaskID | None = None
        self._counts = Counts()
        self._done = self._tasks = 0
        self._started = self._said = 0.0
        self._label = ""

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they are."""
        self._bars.stop()

    def cached(self, stage: Stage) -> None:
        """A stage was found finished."""
        if not self._console.is_terminal:
            self._console.print(f"{stage.label}: cached", highlight=False)
        else:
            self._bars.add_task(stage.label, total=1, completed=1, rate="cached")

    def start(self, stage: Stage, tasks: int, receipts: Iterable[Receipt]) -> None:
        """A stage begins; `receipts` are of tasks that an earlier run finished."""
        self._label, self._tasks = stage.label, tasks
        self._counts, self._done = Counts(), 0
        self._started = self._said = time.monotonic()
        done = len(list(receipts))
        self._done = done
        self._bar = self._bars.add_task(stage.label, total=tasks, completed=done, rate="")
        if done and not self._console.is_terminal:
            self._console.print(f"{stage.label}: resumed, {done} of {tasks} tasks were done", highlight=False)

    def advance(self, receipt: Receipt) -> None:
        """A task ended."""
        self._done += 1
        self._counts.update(receipt.counts)
        if self._bar is not None:
            self._bars.update(self._bar, advance=1, rate=self._rate())
        if not self._console.is_terminal and time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._console.print(
                f"{self._label}: {self._done} of {self._tasks} tasks, {self._rate()}", highlight=False
            )

    def end(self, stage: Stage) -> None:
        """A stage is finished."""
        if not self._console.is_terminal:
            seconds = time.monotonic() - self._started
            self._console.print(
                f"{stage.label}: {self._done} tasks in {seconds:.1f} s, {self._rate()}".rstrip(", "),
                highlight=False,
            )

    def warn(self, message: str) -> None:
        """Say something that should not be missed."""
        self._console.print(
            f"warning: {message}", style="yellow", highlight=False, markup=False, soft_wrap=True
        )

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        text = self._counts.number("text_bytes_read") + self._counts.number("text_bytes_written")
        if text:
            return f"{text / 1e6 / seconds:.1f} MB/s"
        left = max((flow.left for flow in self._counts.flows.values()), default=0)
        return f"{left / seconds:,.0f}/s" if left else ""

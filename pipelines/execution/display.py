"""A run on a terminal: a bar for each stage that runs, and a line for the whole of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mixers.printable import one_line
from pipelines.execution.events import (
    Cached,
    Event,
    Noted,
    RunBegins,
    RunEnds,
    StageBegins,
    StageEnds,
    StageState,
    TaskTells,
    Warned,
)
from pipelines.execution.in_words import memory, rate_of, time_left
from pipelines.execution.lines import print_line

MOST_BARS = 8
LABEL_WIDTH = 28
BAR_WIDTH = 16
REFRESHES_A_SECOND = 4


@dataclass
class _Bar:
    """A stage that runs, as it is shown."""

    label: str
    tasks: int
    done: int
    says: str = ""
    """Its rate, or what a task of it told."""
    began: float = field(default_factory=time.monotonic)

    def cells(self) -> tuple[RenderableType, ...]:
        total = max(self.tasks, 1)
        return (
            Text(self.label),
            ProgressBar(total=total, completed=self.done, width=BAR_WIDTH),
            Text(f"{self.done}/{self.tasks}"),
            Text(self.says),
            Text(_clock(time.monotonic() - self.began)),
        )


class Display:
    """Redraws itself; lines of what is finished scroll away above it. Use on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._bars: dict[str, _Bar] = {}
        self._began = time.monotonic()
        self._finished = self._stages = 0
        self._memory: int | None = None
        self._left: float | None = None

    def __call__(self, event: Event) -> None:
        """Show what has changed."""
        match event:
            case RunBegins():
                self._stages = event.stages
                self._start()
            case StageBegins():
                self._bars[event.stage] = _Bar(one_line(event.stage), event.tasks, event.done)
            case TaskTells():
                self._bars[event.stage].says = one_line(event.message.partition(";")[0])
            case StageState():
                self._memory, self._left = event.memory_bytes, event.left_seconds
                self._finished = event.finished
                self._bars[event.stage].done = event.done
                self._bars[event.stage].says = rate_of(event) or self._bars[event.stage].says
            case Cached():
                self._finished = event.finished
            case RunEnds():
                self._stop()
        if isinstance(event, StageEnds):
            del self._bars[event.stage]
        if isinstance(event, Cached | StageEnds | Warned | Noted):
            print_line(self._console, event)

    def _start(self) -> None:
        self._began = time.monotonic()
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=REFRESHES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=True,
            vertical_overflow="crop",
        )
        self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> RenderableType:
        """Called by the thread that redraws, while bars come and go."""
        bars = list(self._bars.values())
        room = max(min(MOST_BARS, self._console.height - 3), 1)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=LABEL_WIDTH)
        table.add_column(width=BAR_WIDTH)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_column(no_wrap=True, justify="right")
        for bar in bars[:room]:
            table.add_row(*bar.cells())
        lines: list[RenderableType] = [table] if bars else []
        if len(bars) > room:
            lines.append(Text(f"and {len(bars) - room} more"))
        return Group(*lines, self._whole())

    def _whole(self) -> Text:
        parts = [
            f"{self._finished} of {self._stages} stages",
            memory(self._memory),
            _clock(time.monotonic() - self._began),
            time_left(self._left),
        ]
        return Text(" · ".join(filter(None, parts)), no_wrap=True, overflow="ellipsis", style="bold")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"

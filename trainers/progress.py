"""How a training run shows itself: a progress bar on a terminal, plain lines every few seconds otherwise."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from mixers.printable import printable
from trainers.events import Evaluated, StepEnds, TrainingEvent, TrainingListener, TrainingNote
from trainers.scores import Evaluation

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows steps, loss, learning rate, real tokens per second and the time left, on standard error.

    Listeners are told the same as events. Neither happens where it is not `visible`; where it is not `shown`,
    only they are told.
    """

    def __init__(
        self,
        total_steps: int,
        total_tokens: int,
        visible: bool,
        listeners: Sequence[TrainingListener] = (),
        shown: bool = True,
    ) -> None:
        self._listeners = listeners if visible else ()
        self._total_steps = total_steps
        self._total_tokens = total_tokens
        self._visible = visible and shown
        self._started = self._last_line = time.monotonic()
        self._first_tokens: int | None = None
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        if self._visible and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("train"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[status]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task("train", total=self._total_steps, status="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def note(self, text: str) -> None:
        """Show one line."""
        self._tell(TrainingNote(message=text))
        self._show(text)

    def _tell(self, event: TrainingEvent) -> None:
        for listener in self._listeners:
            listener(event)

    def _show(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(printable(text), highlight=False, markup=False)
        elif self._visible:
            print(printable(text), file=sys.stderr, flush=True)

    def begin(self, tokens: int) -> None:
        """Start the clock; `tokens` were consumed by an earlier process."""
        self._started = time.monotonic()
        self._first_tokens = tokens

    def step(self, step: int, loss: float, lr: float, tokens: int) -> None:
        """Show that `step` steps are done and `tokens` consumed."""
        if self._first_tokens is None:
            raise RuntimeError("Progress.begin must come before Progress.step.")
        now = time.monotonic()
        speed = (tokens - self._first_tokens) / max(now - self._started, 1e-9)
        left = (self._total_tokens - tokens) / max(speed, 1e-9)
        self._tell(
            StepEnds(
                step=step,
                steps=self._total_steps,
                loss=loss,
                learning_rate=lr,
                tokens=tokens,
                total_tokens=self._total_tokens,
                tokens_per_second=speed,
                left_seconds=left,
            )
        )
        status = f"loss {loss:.4f}  lr {lr:.2e}  {speed:,.0f} tok/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=step, status=status)
        elif now - self._last_line >= _SECONDS_BETWEEN_LINES or step == self._total_steps:
            self._last_line = now
            self._show(f"step {step}/{self._total_steps}  {status}  {_clock(left)} left")

    def evaluation(self, evaluation: Evaluation) -> None:
        """Show the scores of every group."""
        groups = {
            name: {"loss": score.loss, "bits_per_byte": score.bits_per_byte, "tokens": score.tokens}
            for name, score in evaluation.groups.items()
        }
        total = evaluation.total
        self._tell(
            Evaluated(step=evaluation.step, loss=total.loss, bits_per_byte=total.bits_per_byte, groups=groups)
        )
        self._show(f"evaluation at step {evaluation.step}:")
        width = max(map(len, [*evaluation.groups, "total"]))
        for name, score in [*evaluation.groups.items(), ("total", evaluation.total)]:
            bits = "-" if score.bits_per_byte is None else f"{score.bits_per_byte:.4f}"
            self._show(
                f"  {name:<{width}}  loss {score.loss:.4f}  bits per byte {bits}  {score.tokens:,} tokens"
            )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

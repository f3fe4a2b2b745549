"""What a training run says, in its log and as events: docs/progress.md."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from mixers.printable import printable
from pipelines.execution.events import Event
from pipelines.execution.in_words import time_left
from pipelines.execution.progress import SECONDS_BETWEEN_LINES
from trainers.events import Evaluated, StepEnds, TrainingEvent, TrainingListener, TrainingNote
from trainers.result import TrainingResult


@dataclass(frozen=True, kw_only=True)
class Trained(Event):
    """A stage is trained: the last event."""

    name: ClassVar[str] = "result"
    exit_code: int = 0
    model: str
    """The folder."""
    steps: int
    tokens: int
    seconds: float
    """Of training alone, without evaluations."""
    loss: float | None
    """Of the last step."""
    mfu: float | None
    """Floating-point operations as a share of what the GPU can do; None where that is not known."""

    @classmethod
    def of(cls, result: TrainingResult) -> Trained:
        """What became of training."""
        return cls(
            model=str(result.output),
            steps=result.steps,
            tokens=result.tokens,
            seconds=result.seconds,
            loss=result.final_loss,
            mfu=result.flops_utilisation,
        )


class TrainingLog:
    """A file in `folder`, there from the first line on: notes, evaluations, a step every 10 seconds."""

    def __init__(self, folder: Path, stage: str) -> None:
        self._file = folder / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-train-{stage}.log"
        self._step_written = 0.0

    def __call__(self, event: TrainingEvent) -> None:
        """Write the event in words."""
        match event:
            case TrainingNote():
                self.write(event.message)
            case StepEnds() if self._is_due(event):
                self.write(
                    f"step {event.step} of {event.steps}: loss {event.loss:.4f}, "
                    f"learning rate {event.learning_rate:.2e}, {event.tokens_per_second:,.0f} tokens/s, "
                    f"{time_left(event.left_seconds)}"
                )
            case Evaluated():
                self.write(f"evaluation at step {event.step}: {_scores(event)}")

    def _is_due(self, event: StepEnds) -> bool:
        now = time.monotonic()
        if now - self._step_written < SECONDS_BETWEEN_LINES and event.step not in (1, event.steps):
            return False
        self._step_written = now
        return True

    def write(self, text: str) -> None:
        """Write a line."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{datetime.now():%H:%M:%S} {printable(text)}\n")


def _scores(event: Evaluated) -> str:
    total = {"loss": event.loss, "bits_per_byte": event.bits_per_byte}
    return "; ".join(
        f"{name} loss {score['loss']:.4f}"
        + ("" if score["bits_per_byte"] is None else f", {score['bits_per_byte']:.4f} bits per byte")
        for name, score in [*event.groups.items(), ("total", total)]
    )


@contextmanager
def logged(
    folder: Path, stage: str, listeners: Sequence[TrainingListener]
) -> Iterator[Sequence[TrainingListener]]:
    """The listeners, and a log of the training in the block with the traceback of what ends it early."""
    log = TrainingLog(folder, stage)
    try:
        yield [log, *listeners]
    except BaseException:
        log.write(traceback.format_exc())
        raise

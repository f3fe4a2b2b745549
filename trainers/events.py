"""What happens while a model is trained, for those who show it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, kw_only=True)
class TrainingEvent:
    """Something that happened, at a time with its offset from UTC."""

    name: ClassVar[str]
    time: datetime = field(default_factory=_now)


@dataclass(frozen=True, kw_only=True)
class TrainingNote(TrainingEvent):
    """Something worth knowing."""

    name: ClassVar[str] = "note"
    message: str


@dataclass(frozen=True, kw_only=True)
class StepEnds(TrainingEvent):
    """`step` of `steps` optimizer steps are done."""

    name: ClassVar[str] = "step"
    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens: int
    """Consumed until now, of `total_tokens`."""
    total_tokens: int
    tokens_per_second: float
    """Since this process began."""
    left_seconds: float
    """Of the steps, evaluations on the way included."""


@dataclass(frozen=True, kw_only=True)
class Evaluated(TrainingEvent):
    """Scores on the held-out documents at a step, in all and by group."""

    name: ClassVar[str] = "evaluation"
    step: int
    loss: float
    bits_per_byte: float | None
    groups: dict[str, dict[str, Any]]
    """Of each group its `loss`, `bits_per_byte` and `tokens`."""


TrainingListener = Callable[[TrainingEvent], None]

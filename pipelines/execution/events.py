"""What happens in a run, in order: the one source of all that is shown of it and logged.

The schedule tells `Progress`, which makes the events; listeners (a display, lines, a log, JSON lines) show
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from trainers.events import TrainingEvent


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, at a time with its offset from UTC."""

    name: ClassVar[str]
    time: datetime = field(default_factory=_now)


@dataclass(frozen=True, kw_only=True)
class RunBegins(Event):
    """So many stages come; what is said of them is logged in the folder `logs`."""

    name: ClassVar[str] = "run_begins"
    stages: int
    logs: Path


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """Something worth knowing."""

    name: ClassVar[str] = "note"
    message: str


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something that should not be missed."""

    name: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True, kw_only=True)
class Cached(Event):
    """A stage was found finished. `finished` of all `stages` are, with this one."""

    name: ClassVar[str] = "cached"
    stage: str
    kind: str
    finished: int
    stages: int


@dataclass(frozen=True, kw_only=True)
class StageBegins(Event):
    """A stage begins; an earlier run finished `done` of its tasks."""

    name: ClassVar[str] = "stage_begins"
    stage: str
    kind: str
    tasks: int
    done: int


@dataclass(frozen=True, kw_only=True)
class TaskTells(Event):
    """A task says how far it has come, or that kernels are being compiled."""

    name: ClassVar[str] = "told"
    stage: str
    message: str
    compiling: bool


@dataclass(frozen=True, kw_only=True)
class StageState(Event):
    """How far a stage has come."""

    stage: str
    kind: str
    tasks: int
    done: int
    seconds: float
    """Since this run began the stage."""
    rate: float | None
    """Units a second, by all tasks that run at once; None where nothing was counted yet."""
    unit: str
    """`text_bytes`, or what flows: `documents`, `records`, `tokens`; empty without a rate."""
    compiled: bool
    """Whether a part of its time went into compiling kernels."""
    memory_bytes: int | None
    """Resident memory of this process and all that it started; None where nobody can tell."""
    left_seconds: float | None
    """Of the whole run, about; None before there is anything to base it on."""
    finished: int
    """Of all stages."""
    stages: int


@dataclass(frozen=True, kw_only=True)
class StageRuns(StageState):
    """A stage goes on: said every 10 seconds, whether its tasks end or not."""

    name: ClassVar[str] = "stage_runs"


@dataclass(frozen=True, kw_only=True)
class TaskEnds(StageState):
    """A task of the stage ended."""

    name: ClassVar[str] = "task_ends"
    task: int


@dataclass(frozen=True, kw_only=True)
class StageEnds(StageState):
    """All tasks of the stage are done, and it is finished."""

    name: ClassVar[str] = "stage_ends"


@dataclass(frozen=True, kw_only=True)
class RunEnds(Event):
    """No task runs any more. `error` and where it came from are empty where all went well."""

    name: ClassVar[str] = "run_ends"
    seconds: float
    finished: int
    stages: int
    memory_bytes: int | None
    """The most that was seen."""
    error: str
    traceback: str


@dataclass(frozen=True, kw_only=True)
class Result(Event):
    """The command has done its work: the last event."""

    name: ClassVar[str] = "result"
    exit_code: int = 0
    run: str
    shards: dict[str, Any]
    """Rows, tokens and place of each mixture that was built."""
    report: str | None
    """None where the run was to stop before the end."""
    warnings: list[str]
    """What the report says that should not be missed."""


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The command has failed: the last event."""

    name: ClassVar[str] = "error"
    exit_code: int
    message: str
    file: str
    place: str
    hint: str


Listener = Callable[[Event], None]
"""Shows events; is called by one thread at a time."""


def as_json(event: Event | TrainingEvent) -> dict[str, Any]:
    """The event as one flat JSON object."""
    values = {each.name: _plain(getattr(event, each.name)) for each in fields(event)}
    return {"event": event.name, "time": values.pop("time"), **values}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case Path():
            return str(value)
        case float():
            return round(value, 3)
    return value

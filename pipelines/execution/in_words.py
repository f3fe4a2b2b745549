"""Events in words, a line each: the same on a terminal, in plain output and in the log."""

from __future__ import annotations

from pipelines.execution.events import (
    Cached,
    Event,
    Noted,
    RunBegins,
    RunEnds,
    StageBegins,
    StageEnds,
    StageRuns,
    StageState,
    TaskTells,
    Warned,
)


def in_words(event: Event) -> str:
    """What a person is told of an event; empty where it is said by another."""
    match event:
        case RunBegins():
            return f"{event.stages} stages"
        case Noted():
            return event.message
        case Warned():
            return f"warning: {event.message}"
        case Cached():
            return f"[{event.finished} of {event.stages}] {event.stage}: cached"
        case StageBegins():
            resumed = f", {event.done} of them done before" if event.done else ""
            return f"{event.stage}: {event.tasks} tasks{resumed}"
        case TaskTells():
            return f"{event.stage}: {event.message}"
        case StageRuns():
            progress = f"{event.done} of {event.tasks} tasks"
            parts = [progress, rate_of(event), memory(event.memory_bytes), time_left(event.left_seconds)]
            return f"[{event.finished} of {event.stages}] {event.stage}: {_joined(parts)}"
        case StageEnds():
            compiled = " with compiling" if event.compiled else ""
            parts = [f"{event.done} tasks in {event.seconds:.1f} s{compiled}", rate_of(event)]
            return f"[{event.finished} of {event.stages}] {event.stage}: {_joined(parts)}"
        case RunEnds():
            ended = f"{event.finished} of {event.stages} stages finished, {event.seconds:.1f} s"
            most = memory(event.memory_bytes)
            return _joined([ended, most and f"at most {most}"])
    return ""


def rate_of(event: StageState) -> str:
    """What it does in a second."""
    if event.rate is None:
        return ""
    if event.unit == "text_bytes":
        size = f"{event.rate / 1e6:.1f} MB" if event.rate >= 1e6 else f"{event.rate / 1e3:.1f} kB"
        return f"{size}/s of text"
    return f"{event.rate:,.0f} {event.unit}/s"


def memory(size: int | None) -> str:
    """How much memory is in use."""
    return "" if size is None else f"{size / 1e9:.1f} GB memory"


def time_left(seconds: float | None) -> str:
    """About how long it still takes: to two digits at most, which is more than anyone knows."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    if seconds < 99.5 * 60:
        return f"about {seconds / 60:.0f} min left"
    return (
        f"about {seconds / 3600:.0f} h left"
        if seconds < 48 * 3600
        else f"about {seconds / 86400:.0f} days left"
    )


def _joined(parts: list[str]) -> str:
    return ", ".join(filter(None, parts))

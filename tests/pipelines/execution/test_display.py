"""What a person sees of a run's events: the display of a terminal, and plain lines."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.execution.display import MOST_BARS, Display
from pipelines.execution.events import (
    Cached,
    Event,
    RunBegins,
    RunEnds,
    StageBegins,
    StageEnds,
    StageRuns,
    TaskTells,
    Warned,
)
from pipelines.execution.in_words import in_words, time_left
from pipelines.execution.lines import Lines, WarningLines

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def begins(stage: str) -> StageBegins:
    return StageBegins(stage=stage, kind="annotate", tasks=200, done=0)


def state(kind: type, stage: str = "annotate web", **changes: object) -> Event:
    values = {
        "kind": "annotate",
        "tasks": 200,
        "done": 30,
        "seconds": 61.0,
        "rate": 12.34e6,
        "unit": "text_bytes",
        "compiled": False,
        "memory_bytes": 1_230_000_000,
        "left_seconds": 700.0,
        "finished": 12,
        "stages": 40,
    }
    return kind(stage=stage, **values | changes)


def ended(error: str = "") -> RunEnds:
    return RunEnds(seconds=3.0, finished=1, stages=40, memory_bytes=None, error=error, traceback="")


def drawn(events: list[Event], width: int = 80, height: int = 24, **environment: str) -> str:
    """All that the display writes; it is drawn at least once after the last event."""
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=True,
        width=width,
        height=height,
        _environ={"TERM": "xterm-256color", **environment},
    )
    display = Display(console)
    for event in events:
        display(event)
    display(ended())
    return file.getvalue()


def lines_of(printed: str) -> list[str]:
    return [line.rstrip() for part in CODES.sub("", printed).split("\r") for line in part.splitlines()]


BEGIN = RunBegins(stages=40, logs=Path("logs"))


def test_a_line_can_be_read_alone():
    said = "[12 of 40] annotate web: 30 of 200 tasks, 12.3 MB/s of text, 1.2 GB memory, about 12 min left"
    assert in_words(state(StageRuns)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (59.0, "less than a minute left"),
        (61.0, "about 1 min left"),
        (5_900.0, "about 98 min left"),
        (36_000.0, "about 10 h left"),
        (864_000.0, "about 10 days left"),
    ],
)
def test_the_time_left_claims_no_more_than_is_known(seconds, said):
    assert time_left(seconds) == said


def test_bars_fit_into_80_columns_and_long_labels_are_cut():
    long = "annotate " + "a-source-with-a-very-long-name" * 4
    lines = lines_of(drawn([BEGIN, begins(long), state(StageRuns, long)]))
    bar = next(line for line in lines if "30/200" in line)
    assert "…" in bar and "12.3 MB/s of text" in bar and "0:00:0" in bar
    assert any(
        line.startswith("12 of 40 stages · 1.2 GB memory · 0:00:") and "about 12 min left" in line
        for line in lines
    )
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("height", [24, 6, 2])
def test_of_many_stages_as_many_as_there_is_room_for_are_shown(height):
    labels = [f"tokenize source-{number}" for number in range(20)]
    lines = lines_of(drawn([BEGIN, *map(begins, labels)], height=height))
    shown = max(min(MOST_BARS, height - 3), 1)
    assert f"and {20 - shown} more" in lines
    assert {label for label in labels if any(label in line for line in lines)} >= set(labels[:shown])


def test_compiling_is_shown_as_such():
    told = TaskTells(stage="annotate web", message="compiling kernels; and so on", compiling=True)
    assert any(
        "compiling kernels" in line and "0/200" in line
        for line in lines_of(drawn([BEGIN, begins("annotate web"), told]))
    )


def test_names_steer_no_terminal():
    name = "annotate \x1b[2J\x07\nweb"
    events = [BEGIN, begins(name), state(StageRuns, name), state(StageEnds, name), Warned(message=name)]
    printed = drawn(events)
    assert "\x1b[2J" not in printed and "\x07" not in printed and "␛[2J␇" in printed


def test_no_color_is_honoured():
    colour = re.compile(r"\x1b\[[0-9;]*3[0-8]")
    events = [BEGIN, begins("annotate web"), Warned(message="look")]
    assert colour.search(drawn(events)) and not colour.search(drawn(events, NO_COLOR="1"))


def test_quiet_shows_warnings_alone():
    events = [BEGIN, Cached(stage="a", kind="a", finished=1, stages=2), begins("b"), Warned(message="look")]
    for listener, expected in (
        (WarningLines, ["warning: look"]),
        (Lines, ["[1 of 2] a: cached", "b: 200 tasks", "warning: look"]),
    ):
        file = io.StringIO()
        shows = listener(Console(file=file, width=80))
        for event in [*events, ended()]:
            shows(event)
        assert file.getvalue().splitlines() == expected

"""What a run says while it works: events for programs, lines, a display and a log for people."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pipelines.execution.events import StageState
from tests.pipelines.conftest import command, environment
from tests.pipelines.corpus import write_recipe

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def arguments(recipe: Path, workdir: Path, *more: object) -> list[object]:
    return ["run", recipe, "--workdir", workdir, "--until", "ingest", "--workers", 1, *more]


def parsed(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def log_of(workdir: Path) -> str:
    return max((workdir / "logs").glob("*.log")).read_text()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, corpus) -> Path:
    """Not the shared one: nothing here comes as far as a tokenizer."""
    return write_recipe(tmp_path_factory.mktemp("events") / "recipe.yaml", corpus)


@pytest.fixture(scope="module")
def ran(tmp_path_factory, coupage_process, recipe):
    """The folder of a run that reads its sources, what it printed, and its events."""
    workdir = tmp_path_factory.mktemp("events") / "run"
    done = coupage_process(*arguments(recipe, workdir, "--json"))
    return workdir, done, parsed(done.stdout)


def test_events_are_in_order_and_their_sums_close(ran):
    _, _, events = ran
    names = [event["event"] for event in events]
    assert names[0] == "run_begins" and names[-2:] == ["run_ends", "result"]
    assert events[-1]["exit_code"] == 0 and events[-2]["error"] == ""
    times = [event["time"] for event in events]
    assert times == sorted(times)
    begun = {event["stage"]: event["tasks"] for event in events if event["event"] == "stage_begins"}
    assert begun and names.count("stage_begins") == len(begun)
    for stage, tasks in begun.items():
        own = [event for event in events if event.get("stage") == stage]
        assert own[0]["event"] == "stage_begins" and own[-1]["event"] == "stage_ends"
        assert own[-1]["done"] == own[-1]["tasks"] == tasks
        ended = [event for event in own if event["event"] == "task_ends"]
        assert [event["done"] for event in ended] == list(range(1, tasks + 1))
        assert sorted(event["task"] for event in ended) == list(range(tasks))
    assert events[-2]["finished"] == events[-2]["stages"] == events[0]["stages"]


def test_fields_are_those_of_the_documentation(ran):
    _, _, events = ran
    page = (Path(__file__).parents[3] / "docs" / "progress.md").read_text()
    for event in events:
        assert f"| `{event['event']}` |" in page
        assert {field for field in event if f"`{field}`" not in page} == set()
    (ingest,) = (e for e in events if (e["event"], e.get("stage")) == ("stage_ends", "ingest web"))
    assert ingest.keys() - {"event"} == {field.name for field in fields(StageState)}
    assert ingest["unit"] == "text_bytes" and ingest["rate"] > 0 and ingest["kind"] == "ingest"
    assert any((event.get("memory_bytes") or 0) > 1 << 25 for event in events)


def test_a_log_file_is_complete_and_says_the_same(ran):
    workdir, done, events = ran
    log = log_of(workdir)
    for event in events:
        if event["event"] == "stage_begins":
            assert f" {event['stage']}: {event['tasks']} tasks\n" in log
            assert f"{event['stage']}: {event['tasks']} tasks in " in log
    lines = [line.partition(" ")[2] for line in log.splitlines()]
    assert set(done.stderr.splitlines()) <= set(lines)
    assert re.fullmatch(r"\d+ of \d+ stages finished, [\d.]+ s, at most [\d.]+ GB memory", lines[-1])


def test_a_second_run_is_quiet_and_all_cached(ran, coupage, recipe):
    workdir, _, first = ran
    done = coupage(*arguments(recipe, workdir, "--json", "--quiet"))
    assert done.stderr == ""
    events = parsed(done.stdout)
    cached = [event["finished"] for event in events if event["event"] == "cached"]
    assert cached == list(range(1, first[0]["stages"] + 1))
    assert not any("task" in event["event"] for event in events)


def test_a_wrong_recipe_is_an_error_event(coupage, recipe, tmp_path):
    done = coupage(*arguments(recipe, tmp_path / "run", "--json", "--set", "sources.web.path=gone"), code=2)
    last = parsed(done.stdout)[-1]
    assert (last["event"], last["exit_code"]) == ("error", 2) and "gone" in str(last)
    assert last["message"] in done.stderr
    assert not (tmp_path / "run").exists(), "a refused run leaves nothing, no log either"


def workers_of(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def killing(recipe: Path, workdir: Path, most: int) -> tuple[int, list[dict[str, Any]]]:
    """Run, and kill a worker while events come, up to `most` of them; the exit code and all events."""
    process = subprocess.Popen(
        command(*arguments(recipe, workdir, "--json")),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        text=True,
    )
    events: list[dict[str, Any]] = []
    killed: set[int] = set()
    assert process.stdout is not None
    for line in process.stdout:
        events.append(json.loads(line))
        if len(killed) < most and events[-1]["event"] in ("stage_begins", "warning"):
            while not (found := set(workers_of(process.pid)) - killed):
                assert process.poll() is None
                time.sleep(0.01)
            worker = found.pop()
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
    return process.wait(), events


def test_a_killed_worker_is_a_warning(recipe, tmp_path):
    code, events = killing(recipe, tmp_path / "run", most=1)
    warned = [event for event in events if event["event"] == "warning"]
    assert code == 0 and events[-1]["event"] == "result"
    assert len(warned) == 1 and "SIGKILL" in warned[0]["message"]
    assert f"warning: {warned[0]['message']}" in log_of(tmp_path / "run")


def test_a_failing_stage_is_an_error_event(recipe, tmp_path):
    code, events = killing(recipe, tmp_path / "run", most=3)
    assert code == 1
    assert [event["event"] for event in events[-2:]] == ["run_ends", "error"]
    assert events[-1]["exit_code"] == 1 and "SIGKILL" in events[-1]["message"] and events[-1]["hint"]
    assert "Traceback" in events[-2]["traceback"]
    assert "WorkError" in log_of(tmp_path / "run") and "Traceback" in log_of(tmp_path / "run")


def test_a_terminal_of_80_columns_shows_bars_and_the_whole(recipe, tmp_path):
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = environment(TERM="xterm-256color")
    shown.pop("COLUMNS")
    process = subprocess.Popen(
        command(*arguments(recipe, tmp_path / "run")), stdin=child, stdout=child, stderr=child, env=shown
    )
    os.close(child)
    printed = b""
    while True:
        try:
            read = os.read(parent, 1 << 16)
        except OSError:
            break
        if not printed:
            fcntl.ioctl(parent, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 60, 0, 0))  # resized
        printed += read
    os.close(parent)
    assert process.wait() == 0
    text = CODES.sub("", printed.decode())
    lines = [line.rstrip() for part in text.split("\r") for line in part.splitlines()]
    drawn = [line for line in lines if "━" in line or " stages · " in line]
    assert any("ingest web" in line for line in drawn) and max(map(len, drawn)) <= 80
    assert any(re.match(r"\d+ of \d+ stages · ", line) for line in drawn)
    assert any(re.match(r"\[\d+ of \d+\] ingest web: \d+ tasks in ", line) for line in lines)

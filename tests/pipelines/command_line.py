"""Runs the command line: in a process of its own, or in this one, which starts no interpreter.

In this process the tasks of stages run here too, one after the other, unless `--workers` asks for several.
"""

import io
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.execution.executors.base import portable, run_task
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.schedule import Schedule

ROOT = Path(__file__).parents[2]
Finished = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pipelines", *map(str, arguments)]


def run_process(*arguments: object, cwd: Path | None, **more: str) -> Finished:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(**more), cwd=cwd, timeout=600
    )


def run_here(*arguments: object, cwd: Path | None) -> Finished:
    words = list(map(str, arguments))
    with pytest.MonkeyPatch.context() as patch, own_environment(), captured() as printed:
        if cwd is not None:
            patch.chdir(cwd)
        if not _asks_for_workers(words):
            patch.setattr(WorkerPool, "run", run_tasks_here)
        code = _exit_code(words)
    return subprocess.CompletedProcess(words, code, *(text.decode() for text in printed))


def _asks_for_workers(words: list[str]) -> bool:
    return "--workers" in words and words[words.index("--workers") + 1] != "1"


def _exit_code(words: list[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:
        traceback.print_exc()
        return 1


def run_tasks_here(self: WorkerPool, schedule: Schedule) -> None:
    """`WorkerPool.run` without workers."""
    while taken := schedule.take():
        (work,) = taken
        try:
            run_task(pickle.loads(pickle.dumps(work.stage)), schedule.workdir, work.task)
        except Exception as error:
            raise portable(error) from error
        schedule.done(work)


@contextmanager
def own_environment() -> Iterator[None]:
    """What the command does to the environment ends with the block."""
    before = dict(os.environ)
    os.environ.update(environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def captured() -> Iterator[list[bytes]]:
    """What this process and its children print, on standard output and error: there when the block ends."""
    printed: list[bytes] = []
    before = sys.stdout, sys.stderr
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        kept = [os.dup(1), os.dup(2)]
        try:
            for number, file in ((1, output), (2, errors)):
                os.dup2(file.fileno(), number)
            sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8")  # noqa: SIM115
            sys.stderr = io.TextIOWrapper(
                open(2, "wb", closefd=False),  # noqa: SIM115
                encoding="utf-8",
                line_buffering=True,
            )
            yield printed
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.stdout, sys.stderr = before
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)
        for file in (output, errors):
            file.seek(0)
            printed.append(file.read())

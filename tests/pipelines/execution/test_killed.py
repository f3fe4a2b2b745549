"""Killed processes: the whole run at random moments, and single workers."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pipelines.errors import UserError, WorkError
from pipelines.execution.counts import Count
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.progress import Progress
from pipelines.execution.run_stages import run_stages
from pipelines.execution.schedule import ATTEMPTS
from pipelines.execution.stage import Stage
from tests.pipelines.commands.test_run import shard_bytes
from tests.pipelines.conftest import command, environment

KILLS = int(os.environ.get("COUPAGE_KILLS", "3"))


def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(coupage, recipe, finished, tmp_path):
    rng = random.Random(20)
    workdir = tmp_path / "run"
    for _ in range(KILLS):
        running = subprocess.Popen(
            command("run", recipe, "--workdir", workdir, "--workers", rng.choice([1, 2, 3])),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        _wait_for_progress(workdir, running)
        time.sleep(rng.uniform(0, 0.3))
        assert running.poll() is None, "the run ended before it was killed"
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    coupage("run", recipe, "--workdir", workdir, "--workers", 3)
    assert shard_bytes(workdir) == shard_bytes(finished)
    coupage("verify", workdir)


def _wait_for_progress(workdir: Path, running: subprocess.Popen) -> None:
    before = _finished_work(workdir)
    while running.poll() is None and _finished_work(workdir) == before:
        time.sleep(0.01)


def _finished_work(workdir: Path) -> set[str]:
    found = [*workdir.glob("stages/*/receipts/*.json"), *workdir.glob("stages/*/manifest.json")]
    return {str(path.relative_to(workdir)) for path in found}


def test_what_a_killed_writer_of_shards_left_behind_is_cleared_away(coupage, recipe, run_copy):
    (folder,) = run_copy.glob("stages/shards-stage1-*")
    (folder / "manifest.json").unlink()
    kill_in_the_middle = f"""if True:
        import os, pathlib, signal
        from mixers.files import finished_file
        with finished_file(pathlib.Path({str(folder)!r}) / "dataset" / "data-00000-of-00001.arrow") as path:
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", kill_in_the_middle], env=environment())
    assert [path for path in (folder / "dataset").iterdir() if path.read_bytes() == b"half"]
    coupage("run", recipe, "--workdir", run_copy)
    coupage("verify", run_copy)


@dataclass(frozen=True)
class Deadly(Stage):
    """Three tasks; the second kills its worker `deaths` times, then fails with `error` if there is one."""

    name: ClassVar[str] = "deadly"
    version: ClassVar[int] = 1
    deaths: int
    error: Exception | None = None

    inputs = ()
    settings: ClassVar[dict] = {}

    def tasks(self, workdir: Path) -> list[Task]:
        return [{"number": number} for number in range(3)]

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        if task["number"] == 1:
            died = workdir / "died"
            died.write_text(died.read_text() + "x" if died.exists() else "x")
            if len(died.read_text()) <= self.deaths:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.error:
                raise self.error
        with output.file(f"{task['number']}.txt") as path:
            path.write_text("done")


class Warnings(Progress):
    """A progress display that shows nothing, and keeps what should not be missed."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def warn(self, message: str) -> None:
        self.said.append(message)


def _run(stage: Stage, workdir: Path, workers: int) -> list[str]:
    progress = Warnings()
    with WorkerPool(workers) as pool:
        run_stages([stage], workdir, pool, progress)
    return progress.said


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_is_reported_and_its_task_done_again(tmp_path, workers):
    stage = Deadly(scope="", deaths=ATTEMPTS - 1)
    said = _run(stage, tmp_path, workers)
    assert len(said) == ATTEMPTS - 1 and all("SIGKILL" in line for line in said)
    assert sorted(path.name for path in stage.folder(tmp_path).glob("*.txt")) == ["0.txt", "1.txt", "2.txt"]


def test_a_task_that_always_kills_its_worker_fails_the_run(tmp_path):
    stage = Deadly(scope="", deaths=1000)
    with pytest.raises(WorkError, match=r"(?s)SIGKILL in task 1 of `deadly`.*memory"):
        _run(stage, tmp_path, 2)
    assert not stage.is_finished(tmp_path)
    assert list(stage.folder(tmp_path).glob("receipts/*0.json")), "what was done is kept"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (UserError("wrong", file="f", hint="mend it"), UserError, "f: wrong\n  hint: mend it"),
        (OSError(28, "No space left on device"), WorkError, "disk is full"),
        (ZeroDivisionError("oops"), WorkError, "run_task"),
    ],
)
def test_the_error_of_a_task_ends_the_run(tmp_path, error, kind, said):
    with pytest.raises(kind) as raised:
        _run(Deadly(scope="", deaths=0, error=error), tmp_path, 2)
    assert said in str(raised.value)


@dataclass(frozen=True)
class Leaky(Deadly):
    """Loses a document."""

    name: ClassVar[str] = "leaky"

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        output.counts.flow("documents", entered=10, left=8, dropped={Count("too_short"): 1})


def test_a_sum_that_does_not_close_fails_the_run(tmp_path):
    with pytest.raises(WorkError, match="30 in, 24 out, 3 dropped: 3 unaccounted for"):
        _run(Leaky(scope="", deaths=0), tmp_path, 1)
    assert not Leaky(scope="", deaths=0).is_finished(tmp_path)

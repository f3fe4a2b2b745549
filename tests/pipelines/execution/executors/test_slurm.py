"""Slurm, against stand-ins for its commands that really run the elements of an array."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.execution.executors.config import ExecutorSettings, SlurmSettings
from tests.pipelines.conftest import command, environment
from tests.pipelines.execution.executors.test_any_executor import SETTINGS, run
from tests.pipelines.execution.test_killed import Deadly


def start(recipe: Path, workdir: Path) -> subprocess.Popen[str]:
    arguments = ("run", recipe, "--workdir", workdir, "--executor", "slurm", "--until", "ingest")
    return subprocess.Popen(
        command(*arguments), stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )


def wait_for(what) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_job_asks_for_what_the_settings_say(slurm, tmp_path):
    settings = SlurmSettings(
        partition="cpu",
        hours=1.5,
        memory_gb=3,
        sbatch={"account": "winery"},
        poll_seconds=0.2,
        max_array_size=2,
    )
    run("slurm", Deadly(scope="", deaths=0), tmp_path / "run", ExecutorSettings(slurm=settings))
    first, second = ((slurm.home / job / "script").read_text().splitlines() for job in slurm.jobs())
    for asked in (
        "partition=cpu",
        "time=90",
        "mem=3G",
        "account=winery",
        "job-name=coupage-deadly",
        "array=0-1%2",
    ):
        assert f"#SBATCH --{asked}" in first
    assert "#SBATCH --array=0-0%2" in second, "three tasks in arrays of at most two"
    assert "mem-per-cpu" not in "".join(first) and "None" not in "".join(first)


def test_only_missing_tasks_are_submitted(slurm, tmp_path):
    stage = Deadly(scope="", deaths=0, error=UserError("wrong"))
    with pytest.raises(UserError):
        run("slurm", stage, tmp_path / "run")
    assert slurm.calls("scancel"), "the rest of the job is not wanted"
    missing = 3 - len(list(stage.folder(tmp_path / "run").glob("receipts/*.json")))
    run("slurm", Deadly(scope="", deaths=0), tmp_path / "run")
    assert f"--array=0-{missing - 1}%2" in (slurm.home / slurm.jobs()[-1] / "script").read_text()


def test_a_task_that_keeps_dying_is_named_with_its_log(slurm, tmp_path):
    with pytest.raises(Exception, match="the last: OUT_OF_MEMORY") as raised:
        run("slurm", Deadly(scope="", deaths=1000), tmp_path / "run")
    assert "launch_pickled_pipeline" in Path(raised.value.file).read_text()


def test_a_deaf_queue_is_asked_again(slurm, tmp_path):
    (slurm.home / "deaf").touch()
    assert run("slurm", Deadly(scope="", deaths=0), tmp_path / "run") == []


def test_an_interrupted_run_cancels_its_job(slurm, recipe, tmp_path):
    slurm.full(True)
    running = start(recipe, tmp_path / "run")
    wait_for(lambda: slurm.calls("squeue"))
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert slurm.calls("scancel") == ["scancel 100"]
    wait_for(lambda: set(slurm.states("100")) == {"CANCELLED by 1000"})


def test_the_job_of_a_killed_run_is_cancelled_by_the_next(slurm, recipe, tmp_path):
    slurm.full(True)
    running = start(recipe, tmp_path / "run")
    wait_for(lambda: slurm.calls("squeue"))
    running.kill()
    running.wait()
    slurm.full(False)
    assert start(recipe, tmp_path / "run").wait(120) == 0
    assert slurm.calls("scancel") == ["scancel 100"]


def test_a_job_that_someone_cancels_is_not_submitted_again(slurm, recipe, tmp_path):
    slurm.full(True)
    running = start(recipe, tmp_path / "run")
    wait_for(lambda: slurm.calls("squeue"))
    subprocess.run(["scancel", "100"], check=True)
    assert running.wait(60) == 1
    assert "job 100 of `ingest web` was cancelled" in running.stderr.read()
    assert slurm.jobs() == ["100"]


def test_what_sbatch_refuses_is_shown(slurm, tmp_path):
    settings = ExecutorSettings(slurm=SlurmSettings(partition="no_such"))
    with pytest.raises(UserError, match=r"(?s)invalid partition specified: no_such.*executor\.slurm"):
        run("slurm", Deadly(scope="", deaths=0), tmp_path / "run", settings)


def test_a_machine_without_slurm_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no `sbatch` here"):
        run("slurm", Deadly(scope="", deaths=0), tmp_path / "run", SETTINGS)

"""What holds wherever the tasks run: the same bytes, the same errors, deaths seen and survived."""

import pytest

from pipelines.errors import UserError, WorkError
from pipelines.execution.executors.config import ExecutorSettings, SlurmSettings
from pipelines.execution.executors.registry import make_executor
from pipelines.execution.run_stages import run_stages
from pipelines.execution.schedule import ATTEMPTS
from tests.pipelines.commands.test_run import shard_bytes
from tests.pipelines.execution.test_killed import Deadly, Warnings

SETTINGS = ExecutorSettings(slurm=SlurmSettings(poll_seconds=0.2))


def run(name, stages, workdir, settings=SETTINGS) -> list[str]:
    progress = Warnings()
    with make_executor(name, settings, 2) as executor:
        run_stages(stages if isinstance(stages, list) else [stages], workdir, executor, progress)
    return progress.said


def test_the_same_bytes_as_on_local_workers(coupage, recipe, finished, executor, tmp_path):
    # Of the second job under Slurm, the first element is killed.
    done = coupage("run", recipe, "--workdir", tmp_path / "run", "--executor", executor, KILL="101_0")
    assert ("tasks of `annotate web` ended without a result in job 101" in done.stderr) == (
        executor == "slurm"
    )
    assert shard_bytes(tmp_path / "run") == shard_bytes(finished)
    coupage("verify", tmp_path / "run")


def test_a_killed_task_is_reported_and_done_again(executor, tmp_path):
    stage = Deadly(scope="", deaths=ATTEMPTS - 1)
    said = run(executor, stage, tmp_path)
    assert len(said) == ATTEMPTS - 1 and all("task 1" in line and "`deadly`" in line for line in said)
    assert sorted(path.name for path in stage.folder(tmp_path).glob("*.txt")) == ["0.txt", "1.txt", "2.txt"]


def test_a_task_that_always_dies_fails_the_run(executor, tmp_path):
    stage = Deadly(scope="", deaths=1000)
    with pytest.raises(WorkError, match=r"(?s)task 1 of `deadly`.*3 times.*memory"):
        run(executor, stage, tmp_path)
    assert not stage.is_finished(tmp_path)
    assert list(stage.folder(tmp_path).glob("receipts/*0.json")), "what was done is kept"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (UserError("wrong", file="f", hint="mend it"), UserError, "f: wrong\n  hint: mend it"),
        (ZeroDivisionError("oops"), WorkError, "run_task"),
    ],
)
def test_the_error_of_a_task_ends_the_run(executor, tmp_path, error, kind, said):
    with pytest.raises(kind) as raised:
        run(executor, Deadly(scope="", deaths=0, error=error), tmp_path)
    assert said in str(raised.value)


def test_settings_of_executors_change_no_stage(coupage, recipe, run_copy):
    settings = ("--set", "executor.slurm.partition=big", "--set", "executor.ray.memory_gb=3")
    done = coupage("run", recipe, "--workdir", run_copy, *settings)
    stages = [line for line in done.stderr.splitlines() if ": " in line]
    assert len(stages) > 5 and all(line.endswith(": cached") for line in stages)


def test_an_unknown_executor_or_setting_is_named(coupage, recipe, tmp_path):
    done = coupage("run", recipe, "--workdir", tmp_path / "run", "--executor", "slrm", code=2)
    assert "Executors: local, slurm, ray." in done.stderr
    done = coupage(
        "run", recipe, "--workdir", tmp_path / "run", "--set", "executor.slurm.partitoin=a", code=2
    )
    assert "did you mean `partition`" in done.stderr


def test_a_plan_shows_what_would_be_submitted_and_writes_nothing(coupage, recipe, run_copy, tmp_path):
    workdir = tmp_path / "new"
    said = coupage("plan", recipe, "--workdir", workdir, "--executor", "slurm").stdout
    assert "#SBATCH --job-name=coupage-ingest-web" in said and "#SBATCH --account=winery" in said
    assert f"{workdir}/logs/select-documents" in said and not workdir.exists()
    assert "num_cpus=1" in coupage("plan", recipe, "--workdir", workdir, "--executor", "ray").stdout
    assert not coupage("plan", recipe, "--workdir", run_copy, "--executor", "slurm").stdout

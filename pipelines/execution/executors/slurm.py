"""Runs the tasks of a stage as Slurm job arrays and waits for their receipts.

datatrove writes the launch script and finds a task's number on its node. Its completion markers are not used:
the queue says which elements of an array are still to come, receipts say what is done. The run's folder must
be on a file system that all nodes share.
"""

from __future__ import annotations

import math
import pickle
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from datatrove.executor.slurm import SlurmPipelineExecutor

from mixers.files import write_bytes
from mixers.printable import printable
from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.execution.executors.base import ATTEMPTS, ONE_THREAD, Report, missing_tasks, portable
from pipelines.execution.executors.config import SlurmSettings
from pipelines.execution.executors.step import StageStep
from pipelines.execution.manifest import Receipt
from pipelines.execution.output import RECEIPTS, read_receipt, receipt_path
from pipelines.execution.stage import Stage

JOB = "job"
"""Holds the id of a job while it is watched; one that is left over belongs to a run that was killed."""

ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"} | {
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}
UNKNOWN_JOB = "Invalid job id"
LISTED = 3


@dataclass(frozen=True)
class JobArray:
    """A submitted array: element i does `tasks[i]`. Its script, logs and errors are in `folder`."""

    job: str
    tasks: list[int]
    folder: Path

    def log(self, task: int) -> Path:
        """What the task printed."""
        return self.folder / f"{self.job}_{self.tasks.index(task)}.out"


class Launcher(SlurmPipelineExecutor):  # type: ignore[misc]
    """One array as a datatrove executor: the launch script here, the work of an element on its node."""

    def __init__(
        self, step: StageStep, tasks: int, folder: Path, settings: SlurmSettings, at_once: int
    ) -> None:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in ONE_THREAD.items()]
        super().__init__(
            [step],
            tasks=tasks,
            time=str(math.ceil(settings.hours * 60)),
            partition=settings.partition,
            cpus_per_task=settings.cpus_per_task,
            workers=at_once,
            job_name=f"coupage-{step.stage.slug}",
            qos=None,
            env_command="\n".join([settings.environment, *exports]),
            sbatch_args={
                "mem": f"{settings.memory_gb}G",
                **settings.sbatch,
                **(settings.serving if step.stage.serves else {}),
            },
            logging_dir=str(folder),
            slurm_logs_folder=str(folder),
            requeue_signals=None,
        )
        self.folder = folder

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        """The options of sbatch: memory by task, and nothing that was not asked for."""
        options = super().get_sbatch_args(max_array)
        return {name: value for name, value in options.items() if name != "mem-per-cpu" and value is not None}

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> None:
        """Do one task on its node; an error is left for the run to raise, the traceback goes to the log."""
        try:
            self.pipeline[0].run(rank=rank)
        except BaseException as error:
            said = portable(error)
            write_bytes(error_path(self.folder, rank), pickle.dumps(said))
            raise RuntimeError(printable(str(said))) from None


def require_slurm() -> None:
    """Raise UserError where nothing can be submitted to Slurm."""
    if shutil.which("sbatch") is None:
        raise UserError(
            "there is no `sbatch` here",
            hint="Run on a machine that submits to Slurm, or use another --executor.",
        )


def error_path(folder: Path, task: int) -> Path:
    """Where a task leaves the error that it raised."""
    return folder / f"{task:06d}.error"


class SlurmExecutor:
    """Submits the missing tasks of a stage, watches them, and submits again what died."""

    def __init__(self, settings: SlurmSettings, workers: int | None, report: Report) -> None:
        self.settings = settings
        self.at_once = workers or -1
        self._report = report

    def __enter__(self) -> Self:
        """Raises UserError where there is no Slurm."""
        require_slurm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left: a job ends, or is cancelled, in `run_stage`."""

    def run_stage(self, stage: Stage, workdir: Path, tasks: int, done: Callable[[Receipt], None]) -> None:
        """Do the tasks of `stage` that have no receipt; call `done` for each as it ends.

        Raises the error of the first task that fails, WorkError for a task that died ATTEMPTS times or a
        cancelled job, UserError when Slurm refuses the job.
        """
        folder = stage.folder(workdir)
        logs = workdir / "logs" / folder.name
        _cancel_left_over(logs)
        waiting = missing_tasks(folder, tasks)
        attempts: Counter[int] = Counter()
        while waiting:
            now, later = waiting[: self.settings.max_array_size], waiting[self.settings.max_array_size :]
            array = self._submit(StageStep(stage, workdir), now, logs)
            try:
                dead = self._watch(array, folder, done)
            except BaseException:
                _slurm("scancel", array.job)
                raise
            finally:
                (array.folder / JOB).unlink()
            if dead:
                attempts.update(dead)
                self._judge(stage, array, dead, attempts)
            waiting = [*dead, *later]

    def _submit(self, step: StageStep, tasks: list[int], logs: Path) -> JobArray:
        folder = logs / f"{len(list(logs.glob('*'))) + 1:04d}"
        folder.mkdir(parents=True)
        launcher = Launcher(step, len(tasks), folder, self.settings, self.at_once)
        executor, script = folder / "executor.pik", folder / "launch_script.slurm"
        executor.write_bytes(pickle.dumps(launcher))
        (folder / "ranks_to_run.json").write_bytes(orjson.dumps(tasks))
        python = "python" if self.settings.environment else shlex.quote(sys.executable)
        command = f"{python} -m datatrove.tools.launch_pickled_pipeline {shlex.quote(str(executor))}"
        script.write_text(launcher.get_launch_file_contents(launcher.get_sbatch_args(len(tasks)), command))
        answer = _slurm("sbatch", "--parsable", str(script))
        if answer.returncode:
            raise UserError(
                f"sbatch refused the job of `{step.stage.label}`: {answer.stderr.strip()}",
                file=str(script),
                hint="Correct `executor.slurm` in the recipe, or with --set executor.slurm.partition=NAME.",
            )
        job = answer.stdout.strip().partition(";")[0]
        (folder / JOB).write_text(job)
        return JobArray(job, tasks, folder)

    def _watch(self, array: JobArray, folder: Path, done: Callable[[Receipt], None]) -> list[int]:
        """Wait until no element is to come; returns the tasks that ended without a receipt."""
        waiting = set(array.tasks)
        while True:
            # The queue is asked first, so that what has left it has also written its receipt.
            queued = _queued(array)
            for task in sorted(_with_receipt(folder, waiting)):
                receipt = read_receipt(folder, task)
                assert receipt is not None, "a receipt that was there stays there"
                waiting.remove(task)
                done(receipt)
            if error := _first_error(array, waiting):
                raise error
            if not waiting or (queued is not None and not waiting & queued):
                return sorted(waiting)
            time.sleep(self.settings.poll_seconds)

    def _judge(self, stage: Stage, array: JobArray, dead: list[int], attempts: Counter[int]) -> None:
        """Report the tasks that died. Raises WorkError when one of them may not be tried again."""
        states = _states(array)
        worst = max(dead, key=lambda task: attempts[task])
        state = states.get(worst, "no state known")
        if state.startswith("CANCELLED"):
            raise WorkError(
                f"job {array.job} of `{stage.label}` was cancelled", hint="Run the same command to go on."
            )
        if attempts[worst] >= ATTEMPTS:
            raise WorkError(
                f"task {worst} of `{stage.label}` ended without a result {ATTEMPTS} times; the last: {state}",
                file=str(array.log(worst)),
                hint="Read this log. If memory or time ran out, raise `executor.slurm.memory_gb` or "
                "`executor.slurm.hours`, or try a smaller `part_size` in the recipe.",
            )
        listed = [
            f"task {task}: {states.get(task, 'no state known')}, log {array.log(task)}"
            for task in dead[:LISTED]
        ]
        self._report(
            f"{len(dead)} of {len(array.tasks)} tasks of `{stage.label}` ended without a result in job "
            f"{array.job} and are submitted again ({attempts[worst]} of {ATTEMPTS - 1}): {'; '.join(listed)}"
        )


def _cancel_left_over(logs: Path) -> None:
    for job in logs.glob(f"*/{JOB}"):
        _slurm("scancel", job.read_text())
        job.unlink()


def _with_receipt(folder: Path, tasks: set[int]) -> set[int]:
    """Those of `tasks` that are done; a folder's list is fresh where a network file system caches names."""
    names = {path.name for path in (folder / RECEIPTS).glob("*.json")}
    return {task for task in tasks if receipt_path(folder, task).name in names}


def _first_error(array: JobArray, tasks: set[int]) -> CoupageError | None:
    for path in sorted(array.folder.glob("[0-9]*.error")):
        if int(path.stem) in tasks:
            error: CoupageError = pickle.loads(path.read_bytes())
            return error
    return None


def _queued(array: JobArray) -> set[int] | None:
    """The tasks that are pending or running; None when the queue cannot be asked just now."""
    answer = _slurm("squeue", "--noheader", "--array", "--format=%K %T", f"--jobs={array.job}")
    if answer.returncode:
        return set() if UNKNOWN_JOB in answer.stderr else None
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {array.tasks[int(element)] for element, state in rows if state not in ENDED}


def _states(array: JobArray) -> dict[int, str]:
    """How the tasks ended, as far as Slurm's accounting knows."""
    answer = _slurm(
        "sacct",
        "--noheader",
        "--parsable2",
        "--allocations",
        "--format=JobID,State,ExitCode",
        f"--jobs={array.job}",
    )
    found = {}
    for line in answer.stdout.splitlines():
        name, state, code = line.split("|")
        element = name.rpartition("_")[2]
        if element.isdigit():
            found[array.tasks[int(element)]] = f"{state}, exit code {code}"
    return found


def _slurm(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))

"""Runs tasks as elements of Slurm job arrays, each of one stage, and waits for their receipts.

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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import orjson
from datatrove.executor.slurm import SlurmPipelineExecutor

from mixers.files import write_bytes
from mixers.printable import printable
from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.execution.executors.base import ONE_THREAD, portable
from pipelines.execution.executors.config import SlurmSettings
from pipelines.execution.executors.step import StageStep
from pipelines.execution.output import RECEIPTS, receipt_path
from pipelines.execution.schedule import ATTEMPTS, Schedule, Work
from pipelines.execution.stage import Stage

LOGS = "logs"
"""In the folder of a run, with a folder for each stage, and in that one for each array."""
PICKLED, RANKS = "executor.pik", "ranks_to_run.json"
"""In the folder of an array, by names that datatrove knows."""
JOB = "job"
"""Holds the id of a job while it is watched; one that is left over belongs to a run that was killed."""

ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"} | {
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}
LISTED = 3


@dataclass(eq=False)
class JobArray:
    """A submitted array: element i does `tasks[i]` of `stage`. In `folder` are script, logs and errors."""

    job: str
    stage: Stage
    tasks: list[int]
    folder: Path
    waiting: set[int] = field(init=False)
    """The tasks that have not ended."""

    def __post_init__(self) -> None:
        self.waiting = set(self.tasks)

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
        self.settings = settings

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        """The options of sbatch: memory by task, and nothing that was not asked for."""
        options = super().get_sbatch_args(max_array)
        return {name: value for name, value in options.items() if name != "mem-per-cpu" and value is not None}

    def script(self) -> str:
        """What is given to sbatch."""
        python = "python" if self.settings.environment else shlex.quote(sys.executable)
        pickled = shlex.quote(str(self.folder / PICKLED))
        command = f"{python} -m datatrove.tools.launch_pickled_pipeline {pickled}"
        contents: str = self.get_launch_file_contents(self.get_sbatch_args(self.tasks), command)
        return contents

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
    """Submits tasks as they become ready, watches them, and submits again what died."""

    def __init__(self, settings: SlurmSettings, workers: int | None) -> None:
        self.settings = settings
        self.workers = workers
        self._arrays: list[JobArray] = []

    def __enter__(self) -> Self:
        """Raises UserError where there is no Slurm."""
        require_slurm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left: a job ends, or is cancelled, in `run`."""

    def run(self, schedule: Schedule) -> None:
        """Do the tasks that the schedule gives out until all stages are finished.

        Raises the error of the first task that fails, WorkError for a task that died ATTEMPTS times or a
        cancelled job, UserError when Slurm refuses a job.
        """
        _cancel_left_over(schedule.workdir / LOGS)
        try:
            while not schedule.is_done:
                if not self._submit_ready(schedule):
                    while schedule.look_ahead():
                        pass
                    time.sleep(self.settings.poll_seconds)
                self._watch(schedule)
        finally:
            for array in self._arrays:
                _slurm("scancel", array.job)
                (array.folder / JOB).unlink()
            self._arrays = []

    def _submit_ready(self, schedule: Schedule) -> bool:
        """Submit what is ready and has room; whether there was any."""
        submitted = False
        while (room := self._room()) and (taken := schedule.take(room)):
            submitted = True
            stage, folder = taken[0].stage, schedule.workdir / LOGS
            self._arrays.append(self._submit(stage, schedule.workdir, [work.task for work in taken], folder))
        return submitted

    def _room(self) -> int:
        """Elements that the next array may have.

        Each array is limited to `workers` elements at a time; an array that others run beside has no more
        elements than are free. So all arrays together keep to the limit.
        """
        most = self.settings.max_array_size
        if self.workers is None or not self._arrays:
            return most
        used = sum(min(self.workers, len(array.waiting)) for array in self._arrays)
        return max(0, min(most, self.workers - used))

    def _submit(self, stage: Stage, workdir: Path, tasks: list[int], logs: Path) -> JobArray:
        below = logs / stage.folder_name
        folder = below / f"{len(list(below.glob('*'))) + 1:04d}"
        folder.mkdir(parents=True)
        (folder / RANKS).write_bytes(orjson.dumps(tasks))
        launcher = Launcher(StageStep(stage, workdir), len(tasks), folder, self.settings, self.workers or -1)
        (folder / PICKLED).write_bytes(pickle.dumps(launcher))
        script = folder / "launch_script.slurm"
        script.write_text(launcher.script())
        answer = _slurm("sbatch", "--parsable", str(script))
        if answer.returncode:
            raise UserError(
                f"sbatch refused the job of `{stage.label}`: {answer.stderr.strip()}",
                file=str(script),
                hint="Correct `executor.slurm` in the recipe, or with --set executor.slurm.partition=NAME.",
            )
        job = answer.stdout.strip().partition(";")[0]
        (folder / JOB).write_text(job)
        return JobArray(job, stage, tasks, folder)

    def script(self, stage: Stage, workdir: Path, tasks: int) -> str:
        """What would be submitted for the first of `tasks` tasks of a stage; nothing is written."""
        step, elements = StageStep(stage, workdir), min(tasks, self.settings.max_array_size)
        folder = workdir / LOGS / stage.folder_name / "0001"
        with TemporaryDirectory() as temporary:  # for the folder that datatrove makes
            launcher = Launcher(step, elements, Path(temporary), self.settings, self.workers or -1)
            return launcher.script().replace(temporary, str(folder))

    def _watch(self, schedule: Schedule) -> None:
        """See which elements have ended, and take back those that did without a receipt."""
        # The queue is asked first, so that what has left it has also written its receipt.
        queued = _queued()
        for array in list(self._arrays):
            for task in sorted(_with_receipt(array.stage.folder(schedule.workdir), array.waiting)):
                array.waiting.remove(task)
                schedule.done(Work(array.stage, task))
            if error := _first_error(array):
                raise error
            if queued is not None and (dead := _dead(array, queued)):
                array.waiting.difference_update(dead)
                attempts = [schedule.died(Work(array.stage, task)) for task in dead]
                schedule.warn(self._judged(array, dead, attempts))
            if not array.waiting:
                (array.folder / JOB).unlink()
                self._arrays.remove(array)

    def _judged(self, array: JobArray, dead: Sequence[int], attempts: Sequence[int]) -> str:
        """What to say of tasks that died. Raises WorkError when one of them may not be tried again."""
        states = _states(array)
        most, worst = max(zip(attempts, dead, strict=True))
        state, label = states.get(worst, "no state known"), array.stage.label
        if state.startswith("CANCELLED"):
            raise WorkError(
                f"job {array.job} of `{label}` was cancelled", hint="Run the same command to go on."
            )
        if most >= ATTEMPTS:
            raise WorkError(
                f"task {worst} of `{label}` ended without a result {ATTEMPTS} times; the last: {state}",
                file=str(array.log(worst)),
                hint="Read this log. If memory or time ran out, raise `executor.slurm.memory_gb` or "
                "`executor.slurm.hours`, or try a smaller `part_size` in the recipe.",
            )
        listed = [
            f"task {task}: {states.get(task, 'no state known')}, log {array.log(task)}"
            for task in dead[:LISTED]
        ]
        return (
            f"{len(dead)} of {len(array.tasks)} tasks of `{label}` ended without a result in job "
            f"{array.job} and are submitted again ({most} of {ATTEMPTS - 1}): {'; '.join(listed)}"
        )


def _cancel_left_over(logs: Path) -> None:
    for job in logs.glob(f"*/*/{JOB}"):
        _slurm("scancel", job.read_text())
        job.unlink()


def _with_receipt(folder: Path, tasks: set[int]) -> set[int]:
    """Those of `tasks` that are done; a folder's list is fresh where a network file system caches names."""
    names = {path.name for path in (folder / RECEIPTS).glob("*.json")}
    return {task for task in tasks if receipt_path(folder, task).name in names}


def _first_error(array: JobArray) -> CoupageError | None:
    for path in sorted(array.folder.glob("[0-9]*.error")):
        if int(path.stem) in array.waiting:
            error: CoupageError = pickle.loads(path.read_bytes())
            return error
    return None


def _dead(array: JobArray, queued: set[tuple[str, str]]) -> list[int]:
    """The tasks whose elements have left the queue, among those without a receipt."""
    return sorted(
        task
        for element, task in enumerate(array.tasks)
        if task in array.waiting and (array.job, str(element)) not in queued
    )


def _queued() -> set[tuple[str, str]] | None:
    """Job and number of the elements that are to come; None when the queue cannot be asked just now."""
    answer = _slurm("squeue", "--me", "--noheader", "--array", "--format=%F %K %T")
    if answer.returncode:
        return None
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {(job, element) for job, element, state in rows if state not in ENDED}


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

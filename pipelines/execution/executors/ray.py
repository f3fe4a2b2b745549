"""Runs the tasks of a stage on a Ray cluster: the one at RAY_ADDRESS, or one of this machine alone.

Each task is a remote function of its own. datatrove's Ray executor runs tasks in a process pool inside an
actor, which waits for ever when one of the processes is killed. The run's folder must be on a file system
that all nodes share.
"""

from __future__ import annotations

import os
import socket
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.execution.executors.base import ATTEMPTS, ONE_THREAD, Report, missing_tasks, portable, run_task
from pipelines.execution.executors.config import RaySettings
from pipelines.execution.manifest import Receipt
from pipelines.execution.output import read_receipt
from pipelines.execution.stage import Stage


class RayExecutor:
    """Gives the missing tasks of a stage to Ray, and gives out again what died."""

    def __init__(self, settings: RaySettings, workers: int | None, report: Report) -> None:
        self.settings = settings
        self.workers = workers
        self._report = report

    def __enter__(self) -> Self:
        """Connect to the cluster. Raises UserError without Ray, WorkError if the cluster does not answer."""
        ray = import_ray()
        try:
            _check_address(os.environ.get("RAY_ADDRESS", ""))
            ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": _environment()},
            )
        except (OSError, RuntimeError) as error:
            raise WorkError(
                f"the Ray cluster cannot be reached: {error}",
                hint="Check RAY_ADDRESS, or unset it to use this machine.",
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster, which ends the tasks that are still running."""
        import_ray().shutdown()

    def run_stage(self, stage: Stage, workdir: Path, tasks: int, done: Callable[[Receipt], None]) -> None:
        """Do the tasks of `stage` that have no receipt; call `done` for each as it ends.

        Raises the error of the first task that fails, and WorkError for a task that died ATTEMPTS times.
        """
        ray = import_ray()
        folder = stage.folder(workdir)
        waiting = deque(missing_tasks(folder, tasks))
        attempts: Counter[int] = Counter()
        remote = ray.remote(_do_task).options(**self._reservation(stage))
        work = ray.put((stage, workdir))
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < (self.workers or tasks):
                    task = waiting.popleft()
                    running[remote.remote(work, task, os.getcwd())] = task
                (ended,), _ = ray.wait(list(running), num_returns=1)
                task = running.pop(ended)
                try:
                    error: CoupageError | None = ray.get(ended)
                except ray.exceptions.RayError as death:
                    attempts[task] += 1
                    self._judge(stage, task, attempts[task], death)
                    waiting.appendleft(task)
                    continue
                if error is not None:
                    raise error
                receipt = read_receipt(folder, task)
                assert receipt is not None, "a task that ended without an error has written its receipt"
                done(receipt)
        finally:
            for left in running:
                ray.cancel(left, force=True)

    def _reservation(self, stage: Stage) -> dict[str, Any]:
        reserved: dict[str, Any] = {"num_cpus": self.settings.cpus_per_task, "max_retries": 0}
        if self.settings.memory_gb is not None:
            reserved["memory"] = int(self.settings.memory_gb * 2**30)
        if stage.serves:
            reserved["num_gpus"] = self.settings.gpus_serving
        return reserved

    def _judge(self, stage: Stage, task: int, attempt: int, death: Exception) -> None:
        """Report a task that died. Raises WorkError when it may not be tried again."""
        what = f"Ray lost task {task} of `{stage.label}` ({type(death).__name__}: {death})"
        if attempt >= ATTEMPTS:
            raise WorkError(
                f"{what}, {attempt} times",
                hint="If memory ran out, set `executor.ray.memory_gb` or try fewer --workers or a smaller "
                "`part_size` in the recipe.",
            )
        self._report(f"{what}; the task is tried again ({attempt} of {ATTEMPTS - 1})")


def _do_task(work: tuple[Stage, Path], task: int, cwd: str) -> CoupageError | None:
    """Do one task in a worker of the cluster; relative paths mean there what they mean here."""
    os.chdir(cwd)
    try:
        run_task(*work, task)
    except BaseException as error:
        return portable(error)
    return None


def _check_address(address: str) -> None:
    """Raises OSError when nobody answers at `host:port`; Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _environment() -> dict[str, str]:
    """What workers need to know: one thread each, and where this program is."""
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    return ONE_THREAD | path


def import_ray() -> Any:
    """The library. Raises UserError where it is not installed."""
    # A cluster that is started here sends no usage statistics; Ray reads this when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError("Ray is not installed", hint="pip install 'coupage[ray]'") from error
    return ray

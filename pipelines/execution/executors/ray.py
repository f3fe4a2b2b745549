"""Runs tasks on a Ray cluster: the one at RAY_ADDRESS, or one of this machine alone.

Each task is a remote function of its own. datatrove's Ray executor runs tasks in a process pool inside an
actor, which waits for ever when one of the processes is killed. The run's folder must be on a file system
that all nodes share.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.execution.executors.base import ONE_THREAD, portable, run_task
from pipelines.execution.executors.config import RaySettings
from pipelines.execution.schedule import Schedule, Work
from pipelines.execution.stage import Stage

LOST = (
    "If memory ran out, set `executor.ray.memory_gb` or try fewer --workers or a smaller `part_size` in the "
    "recipe."
)
QUEUED = 2
"""Tasks for each that fits in the cluster, so that none waits for us; more would delay urgent stages."""
STOP_SECONDS = 30


class RayExecutor:
    """Gives tasks to Ray, and gives out again what died."""

    def __init__(self, settings: RaySettings, workers: int | None) -> None:
        self.settings = settings
        self.workers = workers

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

    def run(self, schedule: Schedule) -> None:
        """Do the tasks that the schedule gives out until all stages are finished.

        Raises the error of the first task that fails, and WorkError for a task that died ATTEMPTS times.
        """
        ray = import_ray()
        running: dict[Any, Work] = {}
        packed: dict[str, Any] = {}
        try:
            while not schedule.is_done:
                while len(running) < self._most_at_once() and (taken := schedule.take()):
                    running[self._send(taken[0], schedule, packed)] = taken[0]
                while not (ended := _ended(running, timeout=0)) and schedule.look_ahead():
                    pass
                for each in ended or _ended(running, timeout=None):
                    work = running.pop(each)
                    try:
                        error: CoupageError | None = ray.get(each)
                    except ray.exceptions.RayError as death:
                        what = f"Ray lost task {work.task} of `{work.stage.label}`"
                        schedule.worker_died(work, f"{what} ({type(death).__name__}: {death})", LOST)
                        continue
                    if error is not None:
                        raise error
                    schedule.done(work)
        finally:
            for left in running:
                ray.cancel(left, force=True)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=STOP_SECONDS)

    def _most_at_once(self) -> int:
        """Tasks that are given to Ray and not ended."""
        cpus = import_ray().cluster_resources().get("CPU", 0)
        return self.workers or QUEUED * max(1, int(cpus / self.settings.cpus_per_task))

    def _send(self, work: Work, schedule: Schedule, packed: dict[str, Any]) -> Any:
        """Give the task to Ray; its stage is sent to each node once."""
        ray = import_ray()
        if work.stage.folder_name not in packed:
            packed[work.stage.folder_name] = ray.put((work.stage, schedule.workdir))
            if lacking := self._lacking(work.stage):
                schedule.warn(lacking)
        remote = ray.remote(_do_task).options(**self.reservation(work.stage))
        return remote.remote(packed[work.stage.folder_name], work.task, os.getcwd())

    def _lacking(self, stage: Stage) -> str:
        """What to say where the cluster, as it is now, has not what a task of the stage waits for."""
        wanted = self.reservation(stage).get("num_gpus", 0)
        there = import_ray().cluster_resources().get("GPU", 0)
        if wanted <= there:
            return ""
        return (
            f"a task of `{stage.label}` waits for {wanted:g} GPUs, and the cluster has {there:g} now; to do"
            " without any, stop, and set executor.ray.gpus_serving=0"
        )

    def reservation(self, stage: Stage) -> dict[str, Any]:
        """What a task of the stage asks of Ray."""
        reserved: dict[str, Any] = {"num_cpus": self.settings.cpus_per_task, "max_retries": 0}
        if self.settings.memory_gb is not None:
            reserved["memory"] = int(self.settings.memory_gb * 2**30)
        if stage.serves:
            reserved["num_gpus"] = self.settings.gpus_serving
        return reserved


def _ended(running: dict[Any, Work], timeout: float | None) -> list[Any]:
    ended: list[Any] = import_ray().wait(list(running), timeout=timeout)[0] if running else []
    return ended


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

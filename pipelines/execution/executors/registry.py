"""The executors by name."""

from __future__ import annotations

import os
from collections.abc import Callable

from pipelines.errors import UserError
from pipelines.execution.executors.base import Executor, Report
from pipelines.execution.executors.config import ExecutorSettings
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.executors.ray import RayExecutor
from pipelines.execution.executors.slurm import SlurmExecutor

EXECUTORS: dict[str, Callable[[ExecutorSettings, int | None, Report], Executor]] = {
    "local": lambda settings, workers, report: WorkerPool(workers or os.cpu_count() or 1, report),
    "slurm": lambda settings, workers, report: SlurmExecutor(settings.slurm, workers, report),
    "ray": lambda settings, workers, report: RayExecutor(settings.ray, workers, report),
}


def make_executor(name: str, settings: ExecutorSettings, workers: int | None, report: Report) -> Executor:
    """The executor called `name`; `workers` limits its tasks at a time, None leaves that to the executor.

    Raises UserError for an unknown name.
    """
    if name not in EXECUTORS:
        raise UserError(f"there is no executor `{name}`", hint=f"Executors: {', '.join(EXECUTORS)}.")
    return EXECUTORS[name](settings, workers, report)

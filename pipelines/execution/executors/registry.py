"""The executors by name; each is imported when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import UserError
from pipelines.execution.executors.base import Executor
from pipelines.execution.executors.config import ExecutorSettings
from pipelines.execution.stage import Stage

EXECUTORS = ("local", "slurm", "ray")


def make_executor(name: str, settings: ExecutorSettings, workers: int | None) -> Executor:
    """The executor called `name`; `workers` limits its tasks at a time, None leaves that to the executor.

    Raises UserError for an unknown name.
    """
    if name == "local":
        from pipelines.execution.executors.local import WorkerPool

        return WorkerPool(workers or os.cpu_count() or 1)
    if name == "slurm":
        from pipelines.execution.executors.slurm import SlurmExecutor

        return SlurmExecutor(settings.slurm, workers)
    if name == "ray":
        from pipelines.execution.executors.ray import RayExecutor

        return RayExecutor(settings.ray, workers)
    raise _unknown(name)


def submission(name: str, settings: ExecutorSettings, stage: Stage, workdir: Path, tasks: int) -> str:
    """What an executor would submit for `tasks` tasks of a stage, as text; nothing is submitted or written.

    Raises UserError for an unknown name.
    """
    if name == "local":
        return ""
    if name == "slurm":
        from pipelines.execution.executors.slurm import SlurmExecutor

        return SlurmExecutor(settings.slurm, None).script(stage, workdir, tasks)
    if name == "ray":
        from pipelines.execution.executors.ray import RayExecutor

        asked = RayExecutor(settings.ray, None).reservation(stage).items()
        return f"each task: {', '.join(f'{key}={value}' for key, value in asked)}\n"
    raise _unknown(name)


def require_executor(name: str) -> None:
    """Raise UserError where there is no such executor, or not what it needs."""
    if name not in EXECUTORS:
        raise _unknown(name)
    if name == "slurm":
        from pipelines.execution.executors.slurm import require_slurm

        require_slurm()
    if name == "ray":
        from pipelines.execution.executors.ray import import_ray

        import_ray()


def _unknown(name: str) -> UserError:
    return UserError(f"there is no executor `{name}`", hint=f"Executors: {', '.join(EXECUTORS)}.")

"""Runs the stages of a run, and makes again what turns out to be damaged.

A file is checked when it is first read; what it should be, nothing but its stage can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from pipelines.execution.executors.base import Executor, portable
from pipelines.execution.manifest import Damaged
from pipelines.execution.progress import Progress
from pipelines.execution.schedule import Schedule
from pipelines.execution.stage import Stage
from pipelines.execution.stage_folder import reopen

LOGS = "logs"
"""In the folder of a run: what was said while it ran, a file each time."""


def run_stages(
    stages: Iterable[Stage],
    workdir: Path,
    executor: Executor,
    progress: Progress,
    conclude: Callable[[], None] | None = None,
    seconds: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Run those stages that are not finished, each after its inputs, and make again what is damaged.

    Args:
        stages: Each after its inputs; of two that are as urgent, the first is begun first.
        workdir: The run's folder.
        executor: What does the tasks.
        progress: Where they are shown.
        conclude: What is done with them in the end; the files that it reads are made again like all others.
        seconds: How long stages are expected to take, by the names of their folders, where that is known.

    Raises:
        CoupageError: A task failed, or a file is damaged again after it was made again.
    """
    stages = list(stages)
    progress.expect(stages, workdir / LOGS, seconds)
    made_again: set[str] = set()
    while True:
        try:
            executor.run(Schedule(stages, workdir, progress))
            if conclude:
                progress.note("results are checked, reported and sealed")
                conclude()
            return
        except Damaged as error:
            owner = _owner(stages, workdir, error)
            if owner is None or error.file in made_again:
                raise
            made_again.add(error.file)
            progress.warn(f"{error.file}: {error.message}; it is made again")
            reopen(owner.folder(workdir))
        except OSError as error:  # stages are concluded in this process
            raise portable(error) from error


def _owner(stages: Iterable[Stage], workdir: Path, error: Damaged) -> Stage | None:
    """The stage in whose folder the damaged file lies."""
    path = Path(error.file)
    return next((stage for stage in stages if path.is_relative_to(stage.folder(workdir))), None)

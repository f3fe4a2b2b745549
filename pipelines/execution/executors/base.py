"""What every executor offers and shares: who runs the tasks changes, what counts as done does not.

A task is done when its receipt exists. An error that a task raises ends the run; a task that dies without a
word is given out again, ATTEMPTS times in all (`schedule.py`).
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from pipelines.errors import CoupageError, WorkError
from pipelines.execution.manifest import Damaged
from pipelines.execution.output import TASKS, TaskOutput, read_receipt, read_tasks
from pipelines.execution.schedule import Schedule
from pipelines.execution.stage import Stage
from pipelines.plain import complain
from tokenizer_tools.backends import SINGLE_THREAD

ONE_THREAD = SINGLE_THREAD | {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RUST_BACKTRACE": "0",
}
"""The environment of a task: tasks are processes, so each of them uses one thread; a panic is short."""


class Executor(Protocol):
    """Does the tasks of runs. A context manager, which holds workers or a connection."""

    def __enter__(self) -> Self:
        """Make ready. Raises UserError when what it needs is not there."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing running."""
        ...

    def run(self, schedule: Schedule) -> None:
        """Do the tasks that the schedule gives out until all stages are finished.

        Raises the error of the first task that fails, and WorkError for a task that died ATTEMPTS times; then
        no task writes any more.
        """
        ...


def run_task(stage: Stage, workdir: Path, number: int, tell: Callable[[str], None] = complain) -> None:
    """Do a task of `stage`, unless its receipt says that it is done. The receipt is written last."""
    folder = stage.folder(workdir)
    if read_receipt(folder, number) is None:
        tasks = read_tasks(folder)
        if tasks is None:
            raise Damaged("the list of tasks is gone", file=str(folder / TASKS))
        task = tasks[number]
        output = TaskOutput(folder, number, tell)
        stage.run_task(workdir, task, output)
        output.write_receipt()


def portable(error: BaseException) -> CoupageError:
    """The error as one that pickles, with the traceback of anything unexpected.

    A panic of a Rust library is a `BaseException`.
    """
    if isinstance(error, CoupageError):
        return error
    if isinstance(error, OSError):
        return WorkError(f"{type(error).__name__}: {error}", hint=_hint_for(error))
    if isinstance(error, MemoryError):
        return WorkError(
            f"memory ran out: {error}" if str(error) else "memory ran out",
            hint="Try fewer --workers or a smaller `part_size` in the recipe.",
        )
    return WorkError(
        f"{type(error).__name__}: {error}\n{traceback.format_exc()}",
        hint="This is a defect; please report it.",
    )


def _hint_for(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full. Make room and run the same command: finished parts are kept."
    return "Mend the cause and run the same command: finished parts are kept."

"""What every executor offers and shares: who runs the tasks changes, what counts as done does not.

A task is done when its receipt exists. An error that a task raises ends the run; a task that dies without a
word is given out again, ATTEMPTS times in all.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from pipelines.errors import CoupageError, WorkError
from pipelines.execution.manifest import Damaged, Receipt
from pipelines.execution.output import TASKS, TaskOutput, read_receipt, read_tasks
from pipelines.execution.stage import Stage
from pipelines.plain import complain
from tokenizer_tools.backends import SINGLE_THREAD

ATTEMPTS = 3
ONE_THREAD = SINGLE_THREAD | {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RUST_BACKTRACE": "0",
}
"""The environment of a task: tasks are processes, so each of them uses one thread; a panic is short."""

Report = Callable[[str], None]


class Told(NamedTuple):
    """What a task says on the way."""

    line: str


COMPILING = Told("compiling kernels; the next run finds them compiled")
"""That its time goes into compiling kernels."""


class Executor(Protocol):
    """Runs the tasks of one stage after the other. A context manager, which holds workers or a connection."""

    def __enter__(self) -> Self:
        """Make ready. Raises UserError when what it needs is not there."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing running."""
        ...

    def run_stage(self, stage: Stage, workdir: Path, tasks: int, done: Callable[[Receipt], None]) -> None:
        """Do the tasks of `stage` that have no receipt; call `done` for each as it ends.

        Raises the error of the first task that fails, and WorkError for a task that died ATTEMPTS times.
        """
        ...


def missing_tasks(folder: Path, tasks: int) -> list[int]:
    """The tasks that have no receipt in the stage's `folder`."""
    return [task for task in range(tasks) if read_receipt(folder, task) is None]


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

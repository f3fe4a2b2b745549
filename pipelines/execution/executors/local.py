"""Runs the tasks of a stage on this machine's cores and survives a killed worker.

datatrove's own local executor waits for ever when a worker dies. Here every worker has a pipe of its own and
the parent waits on pipes and processes alike, so a death is seen at once, reported, and its task given out
again.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.errors import WorkError
from pipelines.execution.executors.base import (
    ATTEMPTS,
    COMPILING,
    ONE_THREAD,
    Told,
    missing_tasks,
    portable,
    run_task,
)
from pipelines.execution.manifest import Receipt
from pipelines.execution.output import read_receipt
from pipelines.execution.stage import Stage

DONE = "done"
"""What a worker says when its task is."""


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    task: int | None = None


class WorkerPool:
    """Worker processes that serve one stage after the other. Use as a context manager."""

    def __init__(
        self, workers: int, report: Callable[[str], None], hear: Callable[[Told], None] = lambda told: None
    ) -> None:
        self.size = workers
        self._report = report
        self._hear = hear
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")

    def __enter__(self) -> Self:
        """Workers start when the first stage needs them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers; at once if the run failed or was interrupted."""
        for worker in self._workers:
            worker.connection.close()
            if kind is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join()

    def run_stage(self, stage: Stage, workdir: Path, tasks: int, done: Callable[[Receipt], None]) -> None:
        """Do the tasks of `stage` that have no receipt; call `done` for each as it ends.

        Raises the error of the first task that fails, and WorkError for a task whose worker died ATTEMPTS
        times.
        """
        folder = stage.folder(workdir)
        waiting = deque(missing_tasks(folder, tasks))
        attempts = dict.fromkeys(waiting, 0)
        work = pickle.dumps((stage, workdir))
        self._start_workers(min(self.size, len(waiting)))
        for worker in self._workers:
            self._give_next(worker, work, waiting)
        try:
            while any(worker.task is not None for worker in self._workers):
                for worker in self._ready():
                    rank = worker.task
                    if rank is None:
                        continue
                    answer = self._answer(worker)
                    if isinstance(answer, Told):
                        self._hear(answer)
                        continue
                    if answer is None:
                        attempts[rank] += 1
                        self._replace(worker, stage, rank, attempts[rank])
                        waiting.appendleft(rank)
                    elif isinstance(answer, BaseException):
                        raise answer
                    else:
                        receipt = read_receipt(folder, rank)
                        assert receipt is not None, "a task that ended without an error has a receipt"
                        done(receipt)
                    self._give_next(worker, work, waiting)
        except BaseException:
            self._stop_busy_workers()
            raise

    def _stop_busy_workers(self) -> None:
        """Stop those that are in a task, so that none of them writes after the stage was given up."""
        busy = [worker for worker in self._workers if worker.task is not None]
        for worker in busy:
            worker.process.kill()
        for worker in busy:
            worker.process.join()
            worker.connection.close()
        self._workers = [worker for worker in self._workers if worker.task is None]

    def _start_workers(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            self._workers.append(self._new_worker())

    def _new_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs,), daemon=True)
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        try:
            process.start()
        finally:
            _restore(before.items())
        theirs.close()
        return _Worker(process, ours)

    def _give_next(self, worker: _Worker, work: bytes, waiting: deque[int]) -> None:
        worker.task = waiting.popleft() if waiting else None
        if worker.task is not None:
            # A worker that died while idle is noticed when its answer is awaited.
            try:
                worker.connection.send((work, worker.task))
            except (BrokenPipeError, ConnectionResetError):
                worker.process.join()

    def _ready(self) -> Iterable[_Worker]:
        handles: list[Any] = []
        busy = [worker for worker in self._workers if worker.task is not None]
        for worker in busy:
            handles += [worker.connection, worker.process.sentinel]
        ready = set(wait(handles))
        return [w for w in busy if w.connection in ready or w.process.sentinel in ready]

    def _answer(self, worker: _Worker) -> str | Told | BaseException | None:
        """What the worker said, or None when it died without a word."""
        try:
            if worker.connection.poll():
                answer: str | Told | BaseException = worker.connection.recv()
                return answer
        except (EOFError, ConnectionResetError):
            pass
        return None

    def _replace(self, worker: _Worker, stage: Stage, rank: int, attempt: int) -> None:
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        what = f"a worker was {how} in task {rank} of `{stage.label}`"
        if attempt >= ATTEMPTS:
            raise WorkError(
                f"{what}, {attempt} times",
                hint="If memory ran out, try fewer --workers or a smaller `part_size` in the recipe.",
            )
        self._report(f"{what}; the task is tried again ({attempt} of {ATTEMPTS - 1})")
        fresh = self._new_worker()
        worker.connection.close()
        worker.process, worker.connection = fresh.process, fresh.connection


def _restore(before: Iterable[tuple[str, str | None]]) -> None:
    for name, value in before:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _work(connection: Connection) -> None:
    """A worker's life: take tasks until the parent closes the pipe, die with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    tells = False
    while True:
        try:
            work, task = connection.recv()
        except EOFError:
            return
        try:
            stage, workdir = pickle.loads(work)
            if "numba" in sys.modules and not tells:  # the stage has brought it into this process
                tells = True
                _tell_of_compiling(connection)
            run_task(stage, workdir, task, lambda line: connection.send(Told(line)))
            connection.send(DONE)
        except BaseException as error:
            connection.send(portable(error))


def _tell_of_compiling(connection: Connection) -> None:
    """Tell the parent whenever numba compiles."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, event: object) -> None:
            connection.send(COMPILING)

        def on_end(self, event: object) -> None: ...

    event.register("numba:compile", Listener())


def _die_with_parent() -> None:
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)

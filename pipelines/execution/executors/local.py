"""Runs tasks on this machine's cores and survives a killed worker.

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
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.execution.executors.base import ONE_THREAD, portable, run_task
from pipelines.execution.schedule import Schedule, Work
from pipelines.execution.stage import Stage
from pipelines.execution.told import COMPILING, Told

DONE = "done"
"""What a worker says when its task is."""


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    work: Work | None = None
    holds: Stage | None = None
    """The stage that was sent to it last."""


class WorkerPool:
    """Worker processes of one thread each, which take tasks of any stage. Use as a context manager."""

    def __init__(self, workers: int) -> None:
        self.size = workers
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")

    def __enter__(self) -> Self:
        """Workers start when there is work for them."""
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

    def run(self, schedule: Schedule) -> None:
        """Do the tasks that the schedule gives out until all stages are finished.

        Raises the error of the first task that fails, and WorkError for a task whose worker died ATTEMPTS
        times; then no worker writes any more.
        """
        try:
            while not schedule.is_done:
                self._give_out(schedule)
                while not (ready := self._ready(timeout=0)) and schedule.look_ahead():
                    pass
                heard = [self._listen(worker, schedule) for worker in ready or self._ready(timeout=None)]
                self._give_out(schedule)  # first, so that no worker waits while a stage is concluded
                for work in filter(None, heard):
                    schedule.done(work)
        except BaseException:
            self._stop_busy_workers()
            raise

    def _give_out(self, schedule: Schedule) -> None:
        while len(self._busy) < self.size and (taken := schedule.take()):
            self._give(taken[0], schedule.workdir)

    def _give(self, work: Work, workdir: Path) -> None:
        """Send the task to a worker that holds its stage, or to any other with the stage."""
        idle = [worker for worker in self._workers if worker.work is None]
        if not idle:
            idle = [self._new_worker()]
            self._workers += idle
        worker = min(idle, key=lambda worker: worker.holds is not work.stage)
        packed = None if worker.holds is work.stage else pickle.dumps((work.stage, workdir))
        worker.work, worker.holds = work, work.stage
        # A worker that died while idle is noticed when its answer is awaited.
        try:
            worker.connection.send((packed, work.task))
        except (BrokenPipeError, ConnectionResetError):
            worker.process.join()

    def _listen(self, worker: _Worker, schedule: Schedule) -> Work | None:
        """Take what the worker said: its task, if it is done. One that died without a word is removed."""
        work = worker.work
        assert work is not None
        answer = self._answer(worker)
        if isinstance(answer, Told):
            schedule.hear(work, answer)
            return None
        worker.work = None
        if isinstance(answer, BaseException):
            raise answer
        if answer == DONE:
            return work
        self._bury(worker)
        schedule.worker_died(
            work,
            f"a worker was {_how_it_ended(worker.process)} in task {work.task} of `{work.stage.label}`",
            "If memory ran out, try fewer --workers or a smaller `part_size` in the recipe.",
        )
        return None

    @property
    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.work is not None]

    def _stop_busy_workers(self) -> None:
        """Stop those that are in a task, so that none of them writes after the run was given up."""
        busy = self._busy
        for worker in busy:
            worker.process.kill()
        for worker in busy:
            worker.process.join()
            worker.connection.close()
        self._workers = [worker for worker in self._workers if worker.work is None]

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

    def _ready(self, timeout: float | None) -> list[_Worker]:
        """Busy workers that said something or died."""
        handles: list[Any] = []
        busy = self._busy
        for worker in busy:
            handles += [worker.connection, worker.process.sentinel]
        ready = set(wait(handles, timeout)) if busy else set()
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

    def _bury(self, worker: _Worker) -> None:
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)


def _how_it_ended(process: multiprocessing.process.BaseProcess) -> str:
    code = process.exitcode or 0
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


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
    work: tuple[Stage, Path]
    while True:
        try:
            packed, task = connection.recv()
        except EOFError:
            return
        try:
            if packed is not None:
                work = pickle.loads(packed)
            if "numba" in sys.modules and not tells:  # the stage has brought it into this process
                tells = True
                _tell_of_compiling(connection)
            run_task(*work, task, lambda line: connection.send(Told(line)))
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

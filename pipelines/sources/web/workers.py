"""Texts of pages, found in a process of their own, which is replaced when a page ends it."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import orjson

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Reason
from pipelines.sources.web.options import Pages
from pipelines.sources.web.worker import READY, read_frame, write_frame

INSTALL = "pip install 'coupage[documents]'"

_idle: dict[str, list[Worker]] = {}
"""Processes that wait for pages, by their settings: small files come one by one."""


class Worker:
    """A process that extracts pages."""

    def __init__(self, pages: Pages) -> None:
        self._settings = _settings(pages)
        self._process: subprocess.Popen[bytes] | None = None

    def texts(self, pages: Sequence[str]) -> Iterator[str | Reason]:
        """The text of each page, or why there is none."""
        done = 0
        while done < len(pages):
            process = self._process or self._start()
            for answer in self._answers(process, pages[done:]):
                yield answer
                done += 1
            if done < len(pages):
                yield self._ended(process)
                done += 1

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _answers(self, process: subprocess.Popen[bytes], pages: Sequence[str]) -> Iterator[str | Reason]:
        """The answers until the process ends."""
        try:
            write_frame(_pipe(process.stdin), orjson.dumps(pages))
        except BrokenPipeError:
            return
        for _ in pages:
            answer = read_frame(_pipe(process.stdout))
            if answer is None:
                return
            yield answer[1:].decode() if answer[:1] == b"t" else Reason.EXTRACTOR_FAILED

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.sources.web.worker", self._settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        if read_frame(_pipe(process.stdout)) != READY:
            said = process.communicate()[1].decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise WorkError(f"the process that extracts web pages did not start: {said}")
        self._process = process
        return process

    def _ended(self, process: subprocess.Popen[bytes]) -> Reason:
        process.communicate()
        self._process = None
        return Reason.SLOW_PAGE if process.returncode == -signal.SIGPROF else Reason.EXTRACTOR_FAILED


@contextmanager
def worker(pages: Pages) -> Iterator[Worker]:
    """A process for pages, which is kept for the next ones."""
    waiting = _idle.setdefault(_settings(pages), [])
    found = waiting.pop() if waiting else Worker(pages)
    try:
        yield found
    except BaseException:
        found.close()
        raise
    waiting.append(found)


def require_libraries(pages: Pages) -> None:
    """Raises UserError where a library that the extractor needs is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    from pipelines.sources.web.extractors.registry import EXTRACTORS

    for library in EXTRACTORS[pages.extractor].libraries:
        try:
            version(library)
        except PackageNotFoundError as error:
            raise UserError(
                f"web pages are read with {library}, which is not installed", hint=INSTALL
            ) from error


def _settings(pages: Pages) -> str:
    decisive = {"extractor", "keep", "seconds", "memory"}
    return orjson.dumps(pages.model_dump(mode="json", include=decisive)).decode()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "made with pipes"
    return stream


@atexit.register
def _end_all() -> None:
    for waiting in _idle.values():
        for each in waiting:
            each.close()
    _idle.clear()

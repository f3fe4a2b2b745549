"""The log of a run: everything that is said of it, and the traceback of what ended it."""

from __future__ import annotations

from pathlib import Path

from mixers.printable import printable
from pipelines.execution.events import Event, RunBegins, RunEnds
from pipelines.execution.in_words import in_words


class LogFile:
    """A file for each run, named by the time at which it began; a run that is refused leaves none."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._before: list[str] = []
        """Lines from before it was known where the log is."""

    def __call__(self, event: Event) -> None:
        """Write a line of the event, unless others say the same."""
        text = in_words(event)
        if isinstance(event, RunEnds) and event.error:
            text += f"\n{event.traceback or event.error}".rstrip()
        if isinstance(event, RunBegins):
            event.logs.mkdir(parents=True, exist_ok=True)
            self._file = event.logs / f"{event.time:%Y-%m-%dT%H-%M-%S}.log"
        if text:
            self._write(f"{event.time:%H:%M:%S} {printable(text)}\n")

    def _write(self, line: str) -> None:
        self._before.append(line)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8", errors="replace") as file:
                file.writelines(self._before)
            self._before.clear()

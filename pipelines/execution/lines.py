"""A run in plain lines, where there is no terminal; or its warnings alone."""

from __future__ import annotations

from rich.console import Console

from mixers.printable import printable
from pipelines.execution.events import Event, RunBegins, RunEnds, Warned
from pipelines.execution.in_words import in_words


class WarningLines:
    """Shows nothing but warnings."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        """Print a warning."""
        if isinstance(event, Warned):
            print_line(self._console, event)


class Lines(WarningLines):
    """Each line can be read alone. A stage that runs says so every 10 seconds."""

    def __call__(self, event: Event) -> None:
        """Print what the event says; how a run ends, its command says."""
        if not isinstance(event, RunBegins | RunEnds):
            print_line(self._console, event)


def print_line(console: Console, event: Event) -> None:
    """Print what the event says, if anything."""
    if text := in_words(event):
        style = "yellow" if isinstance(event, Warned) else None
        console.print(printable(text), style=style, highlight=False, markup=False, soft_wrap=True)

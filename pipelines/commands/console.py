"""Where commands show progress and results."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mixers.printable import printable
from pipelines.execution.display import Display
from pipelines.execution.events import Listener
from pipelines.execution.lines import Lines, WarningLines


class PlainConsole(Console):
    """A console that shows text as it is: nothing in it is markup, and nothing steers the terminal."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False, only_warnings: bool = False) -> None:
        """`quiet` prints nothing, `only_warnings` of progress nothing but warnings."""
        self.only_warnings = only_warnings
        super().__init__(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is written, but for rich's own control codes, with every character fit to be printed."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def shown_on(console: Console) -> Listener:
    """Shows the events of a run: redrawn where the console is a terminal, else as lines."""
    if isinstance(console, PlainConsole) and console.only_warnings:
        return WarningLines(console)
    return Display(console) if is_redrawn(console) else Lines(console)


def is_redrawn(console: Console) -> bool:
    """Whether progress is drawn there again and again."""
    only_warnings = isinstance(console, PlainConsole) and console.only_warnings
    return console.is_terminal and not (console.is_dumb_terminal or console.quiet or only_warnings)


SILENT = PlainConsole(quiet=True)
"""For callers from Python, who get results and errors alone."""

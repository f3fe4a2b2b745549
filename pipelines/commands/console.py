"""Where commands show progress and results."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mixers.printable import printable


class PlainConsole(Console):
    """A console that shows text as it is: nothing in it is markup, and nothing steers the terminal."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is written, but for rich's own control codes, with every character fit to be printed."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


SILENT = PlainConsole(quiet=True)
"""For callers from Python, who get results and errors alone."""

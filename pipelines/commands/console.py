"""Where commands show progress."""

from rich.console import Console

SILENT = Console(quiet=True)
"""For callers from Python, who get results and errors alone."""

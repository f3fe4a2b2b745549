"""The warnings of a report on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console

STYLES = {"fault": "red", "caution": "yellow"}


def print_warnings(warnings: Iterable[dict[str, Any]], console: Console) -> None:
    """Print warnings, as `report.json` holds them."""
    for each in warnings:
        console.print(f"warning: {each['in_words']}", style=STYLES[each["level"]], soft_wrap=True)

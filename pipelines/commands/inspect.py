"""`coupage inspect`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.commands.open_run import open_latest
from pipelines.commands.output import print_json
from pipelines.report.inspect import print_document


def inspect_documents(
    folder: Path, reason: str | None, source: str | None, kept: bool, number: int, json: bool
) -> None:
    """`coupage inspect`."""
    documents = open_latest(folder).documents(reason=reason, source=source, kept=kept, number=number)
    if json:
        print_json(documents)
        return
    console = Console()
    for document in documents:
        print_document(document, console)
    if not documents:
        console.print("no document is like that")

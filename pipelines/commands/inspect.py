"""`coupage inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import open_latest
from pipelines.plain import print_json
from pipelines.report.show_document import print_document


def inspect_documents(folder: Path, all_signals: bool, json: bool, **wanted: Any) -> None:
    """`coupage inspect`; `wanted` is what `Run.documents` takes."""
    documents = open_latest(folder).documents(**wanted)
    if json:
        print_json(documents)
        return
    console = PlainConsole()
    for document in documents:
        print_document(document, console, all_signals)
    if not documents:
        console.print("no document is like that")

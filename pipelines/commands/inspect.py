"""`coupage inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import open_latest
from pipelines.errors import UserError
from pipelines.plain import print_json
from pipelines.report.show_document import print_document, print_matches


def check_wishes(
    contaminated: bool, benchmark: str | None, kind: str | None, others: Mapping[str, object]
) -> None:
    """Raise UserError where wishes do not go together; `others` are those that are not about benchmarks."""
    if not contaminated and (benchmark is not None or kind is not None):
        given = "--kind" if kind is not None else f"`{benchmark}`"
        raise UserError(f"{given} goes with --contaminated", hint="Give --contaminated, or leave it out.")
    if contaminated and (
        clashing := [name for name, value in others.items() if not (value is None or value is False)]
    ):
        raise UserError(
            f"{clashing[0]} does not go with --contaminated",
            hint="With it go a benchmark, --kind, --source, --kept and -n.",
        )


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


def inspect_matches(folder: Path, json: bool, **wanted: Any) -> None:
    """`coupage inspect --contaminated`; `wanted` is what `Run.contaminated` takes."""
    documents = open_latest(folder).contaminated(**wanted)
    if json:
        print_json(documents)
        return
    console = PlainConsole()
    for document in documents:
        print_matches(document, console)
    if not documents:
        console.print("no document has anything of such an item")

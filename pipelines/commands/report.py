"""`coupage report`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.commands.open_run import open_run
from pipelines.commands.output import print_json
from pipelines.execution.seal import seal_run
from pipelines.report.report import write_report


def show_report(folder: Path, json: bool) -> None:
    """`coupage report`."""
    run = open_run(folder)
    if json:
        print_json(run.report())
        return
    graph = run.graph
    write_report(graph, folder)
    seal_run(folder, graph.recipe.name, graph.folders(folder))
    Console().print(
        f"{folder / 'report.html'}\n{folder / 'report.json'}\n{folder / 'README.md'}", highlight=False
    )

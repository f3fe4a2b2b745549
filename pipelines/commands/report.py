"""`coupage report`."""

from __future__ import annotations

from pathlib import Path

from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import open_latest
from pipelines.execution.seal import REPORT_FILES, read_run, reseal_run
from pipelines.plain import print_json
from pipelines.report.write import write_report


def show_report(folder: Path, json: bool) -> None:
    """`coupage report`."""
    run = open_latest(folder)
    if json:
        print_json(run.report())
        return
    graph = run.graph
    write_report(graph, folder)
    if read_run(folder) is not None:
        reseal_run(folder, REPORT_FILES)
    written = [folder / name for name in REPORT_FILES if (folder / name).exists()]
    PlainConsole().print("\n".join(map(str, written)), highlight=False, soft_wrap=True)

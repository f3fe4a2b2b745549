"""The report of many sources: seconds and memory to gather it, its size, and how soon its page is of use.

    python -m benchmarks.report_scale FOLDER [--sources N] [--documents N] [--no-browser]

The run is simulated (`benchmarks.scale.simulated_run`) and stays in FOLDER, where another call finds it. Each
step runs in a process of its own. `anonymous` memory is what the process itself allocated at its peak.
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from benchmarks.scale.reduce import status, watch
from benchmarks.scale.simulated_run import SimulatedRun
from pipelines.plain import json_bytes
from pipelines.report.page.page import render_page
from pipelines.report.report import gather_report


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, default=50)
    parser.add_argument("--documents", type=int, default=20_000, help="in each source")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    run = SimulatedRun(folder=given.folder, sources=given.sources, documents=given.documents)
    if not run.workdir.exists():
        alone(make, run)
    alone(gather, run)
    alone(render, run)
    if not given.no_browser:
        alone(open_page, run, given.chromium)


def alone(step: Callable[..., None], run: SimulatedRun, *more: object) -> None:
    """Run a step in a process of its own and print what it took."""
    process = multiprocessing.get_context("spawn").Process(target=measured, args=(step, run, *more))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{step.__name__} failed")


def measured(step: Callable[..., None], run: SimulatedRun, *more: object) -> None:
    """Run a step and print what it took."""
    peak = [0]
    threading.Thread(target=watch, args=(peak,), daemon=True).start()
    started, used = time.monotonic(), time.process_time()
    step(run, *more)
    print(
        f"{step.__name__:10} {time.monotonic() - started:7.1f} s, {time.process_time() - used:.1f} s of CPU; "
        f"peak MB: anonymous {max(peak[0], status('RssAnon')) >> 10:,}, resident {status('VmHWM') >> 10:,}",
        flush=True,
    )


def make(run: SimulatedRun) -> None:
    """The run itself."""
    run.make()


def gather(run: SimulatedRun) -> None:
    """The report of it."""
    content = gather_report(run.graph, run.workdir)
    written = json_bytes(content)
    (run.folder / "report.json").write_bytes(written)
    print(f"report.json {len(written) / 1e6:.2f} MB")


def render(run: SimulatedRun) -> None:
    """The page of the report."""
    html = render_page(orjson.loads((run.folder / "report.json").read_bytes()))
    page = run.folder / "report.html"
    page.write_text(html)
    print(f"report.html {page.stat().st_size / 1e6:.2f} MB")


def open_page(run: SimulatedRun, chromium: str) -> None:
    """The page in a headless Chromium."""
    from playwright.sync_api import sync_playwright

    from benchmarks.report_page import measure
    from tests.pipelines.report.page.conftest import QUIET

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(QUIET))
        measure(browser, (run.folder / "report.html").resolve().as_uri())
        browser.close()


if __name__ == "__main__":
    main()

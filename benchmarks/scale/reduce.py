"""Runs reducing stages on a corpus without texts; prints seconds and peak memory of each.

    python -m benchmarks.scale.reduce FOLDER --documents 100000000 --parts 1000 --stages preference select

Each stage runs in a process of its own. `anonymous` is what the process itself allocated at its peak, and
`resident` has the pages of mapped files besides, which the system takes back when it needs room. `--limit` in
MB is set on its address space (RLIMIT_DATA), where allocators keep more than is resident.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import threading
import time
from pathlib import Path

from benchmarks.scale.sidecars import Corpus, publish_receipts
from pipelines.execution.output import TaskOutput
from pipelines.execution.stage import Stage


def run(stage: Stage, workdir: Path, limit: int) -> None:
    """Run a stage in this process and print what it took."""
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit << 20, limit << 20))
    peak = [0]
    threading.Thread(target=watch, args=(peak,), daemon=True).start()
    started, receipts = time.monotonic(), []
    for number, task in enumerate(stage.tasks(workdir)):
        output = TaskOutput(stage.folder(workdir), number)
        output.folder.mkdir(parents=True, exist_ok=True)
        stage.run_task(workdir, task, output)
        receipts.append(output.write_receipt())
    tasks = time.monotonic() - started
    output = TaskOutput(stage.folder(workdir), len(receipts))
    stage.finish(workdir, output)
    publish_receipts(stage, workdir, receipts, output.files)
    seconds = time.monotonic() - started
    print(
        f"{stage.name:12} {seconds:8.1f} s ({seconds - tasks:.1f} s of it to finish), "
        f"{time.process_time():.1f} s of CPU; peak MB: "
        f"anonymous {max(peak[0], status('RssAnon')) >> 10:,}, resident {status('VmHWM') >> 10:,}",
        flush=True,
    )


def watch(peak: list[int]) -> None:
    """Keep the largest number of KiB that this process has allocated."""
    while True:
        peak[0] = max(peak[0], status("RssAnon"))
        time.sleep(0.02)


def status(name: str) -> int:
    """A line of /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=32)
    parser.add_argument("--bands", type=int, default=0, help="with keys of so many bands, for `candidates`")
    parser.add_argument("--stages", nargs="*", default=["preference", "select"])
    parser.add_argument("--limit", type=int, default=0, help="MB that a stage may allocate")
    options = parser.parse_args()
    corpus = Corpus(options.documents, options.parts, options.bands)
    if not options.folder.exists():
        started = time.monotonic()
        corpus.write(options.folder)
        print(f"{options.documents:,} documents made in {time.monotonic() - started:.1f} s", flush=True)
    corpus.write_pairs(options.folder)
    select = corpus.select()
    assert select.pairs is not None
    stages = {stage.name: stage for stage in (select.preference, select.pairs.candidates, select)}
    for name in options.stages:
        shutil.rmtree(stages[name].folder(options.folder), ignore_errors=True)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=run, args=(stages[name], options.folder, options.limit))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{name} failed")


if __name__ == "__main__":
    main()

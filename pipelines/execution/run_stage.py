"""Runs one stage: its tasks where they are not done, its sums, its manifest."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import orjson

from pipelines.errors import WorkError
from pipelines.execution.atomic import remove_unfinished, write_bytes
from pipelines.execution.counts import total
from pipelines.execution.executors.base import Executor
from pipelines.execution.manifest import MANIFEST, Damaged, Manifest, Receipt, read_manifest, write_sealed
from pipelines.execution.output import RECEIPTS, TASKS, StageOutput, read_receipt
from pipelines.execution.progress import Progress
from pipelines.execution.stage import Stage


def run_stage(stage: Stage, workdir: Path, executor: Executor, progress: Progress) -> None:
    """Run one stage unless it is finished."""
    folder = stage.folder(workdir)
    if _finished(folder, workdir):
        progress.cached(stage)
        return
    started = time.monotonic()
    tasks = _task_count(stage, workdir, folder)
    progress.start(stage, tasks, [r for r in map(lambda n: read_receipt(folder, n), range(tasks)) if r])
    executor.run_stage(stage, workdir, tasks, progress.advance)
    _conclude(stage, workdir, tasks, started)
    progress.end(stage)


def _finished(folder: Path, workdir: Path) -> bool:
    try:
        done = read_manifest(folder) is not None
    except Damaged as error:
        raise WorkError(
            error.why,
            file=str(error.path),
            hint=f"Remove {folder} and run again; `coupage verify` finds all damage.",
        ) from error
    if done:
        shutil.rmtree(folder / RECEIPTS, ignore_errors=True)
    return done


def _task_count(stage: Stage, workdir: Path, folder: Path) -> int:
    """The number of tasks; the list is made once, so that a resumed run has the same."""
    remove_unfinished(folder)
    path = folder / TASKS
    if not path.exists():
        write_bytes(path, orjson.dumps(stage.tasks(workdir)))
    return len(orjson.loads(path.read_bytes()))


def _conclude(stage: Stage, workdir: Path, tasks: int, started: float) -> None:
    """Check the sums, write the stage's own files, and the manifest last."""
    folder = stage.folder(workdir)
    receipts = [_receipt(folder, number) for number in range(tasks)]
    counts = total(receipt.counts for receipt in receipts)
    _check_conservation(stage, workdir, receipts)
    output = StageOutput(folder)
    stage.finish(workdir, output)
    output.adopt(TASKS)
    manifest = Manifest(
        stage=stage.name,
        scope=stage.scope,
        version=stage.version,
        fingerprint=stage.fingerprint,
        settings=stage.settings,
        inputs={before.label: before.fingerprint for before in stage.inputs},
        tasks=receipts,
        files=output.files,
        counts=counts,
        seconds=round(time.monotonic() - started, 3),
    )
    write_sealed(folder / MANIFEST, manifest.to_json())
    shutil.rmtree(folder / RECEIPTS, ignore_errors=True)


def _receipt(folder: Path, number: int) -> Receipt:
    receipt = read_receipt(folder, number)
    if receipt is None:
        raise WorkError(
            f"task {number} left no receipt", file=str(folder), hint="Run the same command again."
        )
    return receipt


def _check_conservation(stage: Stage, workdir: Path, receipts: list[Receipt]) -> None:
    counts = total(receipt.counts for receipt in receipts)
    open_sums = counts.unclosed()
    for unit, expected in stage.expected_entries(workdir).items():
        entered = counts.flows[unit].entered if unit in counts.flows else 0
        if entered != expected:
            open_sums.append(f"{unit}: {expected} came from the stages before, {entered} entered")
    if open_sums:
        raise WorkError(
            f"the sums of `{stage.label}` do not close: " + "; ".join(open_sums),
            hint="Nothing was published. This is a defect; please report it.",
        )

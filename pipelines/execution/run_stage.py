"""Runs stages: their tasks where they are not done, their sums, their manifests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import orjson

from mixers.files import remove_unfinished, write_bytes
from pipelines.errors import WorkError
from pipelines.execution.counts import total
from pipelines.execution.executors.base import Executor
from pipelines.execution.manifest import MANIFEST, Damaged, Manifest, Receipt, read_manifest, write_sealed
from pipelines.execution.output import RECEIPTS, TASKS, Output, read_receipt
from pipelines.execution.progress import Progress
from pipelines.execution.shared_pass import JoinableStage, SharedPass
from pipelines.execution.stage import Stage


def run_stages(
    stages: Iterable[Stage], workdir: Path, executor: Executor, progress: Progress
) -> Iterator[Stage]:
    """Run those stages that are not finished, in order; yields each stage once it is finished."""
    for _, group in groupby(stages, _pass_key):
        waiting = []
        for stage in group:
            if _finished(stage.folder(workdir), workdir):
                progress.cached(stage)
                yield stage
            else:
                waiting.append(stage)
        if waiting:
            _run(waiting, workdir, executor, progress)
            yield from waiting


def _pass_key(stage: Stage) -> str:
    return stage.pass_key if isinstance(stage, JoinableStage) else stage.slug


def _run(stages: list[Stage], workdir: Path, executor: Executor, progress: Progress) -> None:
    """Run one stage, or several in the pass that they share."""
    started = time.monotonic()
    joined = tuple(stage for stage in stages if isinstance(stage, JoinableStage))
    whole = SharedPass(scope=joined[0].pass_key, members=joined) if len(joined) > 1 else stages[0]
    if whole not in stages:
        for left_over in (workdir / "stages").glob(f"{whole.slug}-*"):
            shutil.rmtree(left_over)
        for stage in stages:
            _task_count(stage, workdir)
    tasks = _task_count(whole, workdir)
    receipts = [read_receipt(whole.folder(workdir), number) for number in range(tasks)]
    progress.start(whole, tasks, [receipt for receipt in receipts if receipt])
    executor.run_stage(whole, workdir, tasks, progress.advance)
    seconds = (time.monotonic() - started) / len(stages)
    for stage in stages:
        _conclude(stage, workdir, tasks, seconds)
    if whole not in stages:
        shutil.rmtree(whole.folder(workdir))
    progress.end(whole)


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


def _task_count(stage: Stage, workdir: Path) -> int:
    """The number of tasks; the list is made once, so that a resumed run has the same."""
    folder = stage.folder(workdir)
    remove_unfinished(folder)
    path = folder / TASKS
    if not path.exists():
        write_bytes(path, orjson.dumps(stage.tasks(workdir)))
    return len(orjson.loads(path.read_bytes()))


def _conclude(stage: Stage, workdir: Path, tasks: int, seconds: float) -> None:
    """Check the sums, write the stage's own files, and the manifest last."""
    folder = stage.folder(workdir)
    receipts = [_receipt(folder, number) for number in range(tasks)]
    counts = total(receipt.counts for receipt in receipts)
    _check_conservation(stage, workdir, receipts)
    output = Output(folder)
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
        seconds=round(seconds, 3),
    )
    write_sealed(folder / MANIFEST, manifest.model_dump())
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

"""Runs stages: their tasks where they are not done, their sums, their manifests.

What is there is compared with what was written before it is relied on: a stage counts as finished while its
inputs have the content that it was made from, and a file is checked when it is first read. What is damaged is
made again, as nothing but its stage can say what it should be.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from mixers.files import remove_unfinished
from pipelines.errors import WorkError
from pipelines.execution.carry_over import carry_over
from pipelines.execution.counts import total
from pipelines.execution.executors.base import Executor
from pipelines.execution.manifest import (
    MANIFEST,
    Damaged,
    Manifest,
    Receipt,
    damages_of,
    read_manifest,
    write_sealed,
)
from pipelines.execution.output import (
    RECEIPTS,
    TASKS,
    Output,
    read_receipt,
    read_tasks,
    receipt_path,
    remove_undone,
    write_tasks,
)
from pipelines.execution.progress import Progress
from pipelines.execution.shared_pass import JoinableStage, SharedPass
from pipelines.execution.stage import Stage

LOGS = "logs"
"""In the folder of a run: what was said while it ran, a file each time."""


def run_stages(
    stages: Iterable[Stage],
    workdir: Path,
    executor: Executor,
    progress: Progress,
    conclude: Callable[[], None] | None = None,
) -> None:
    """Run those stages that are not finished, in order, and make again what turns out to be damaged.

    Args:
        stages: Each after its inputs.
        workdir: The run's folder.
        executor: What does the tasks.
        progress: Where they are shown.
        conclude: What is done with them in the end; the files that it reads are made again like all others.

    Raises:
        CoupageError: A task failed, or a file is damaged again after it was made again.
    """
    stages = list(stages)
    progress.expect(stages, workdir / LOGS)
    made_again: set[str] = set()
    while True:
        try:
            _run_unfinished(stages, workdir, executor, progress)
            if conclude:
                conclude()
            return
        except Damaged as error:
            owner = _owner(stages, workdir, error)
            if owner is None or error.file in made_again:
                raise
            made_again.add(error.file)
            progress.warn(f"{error.file}: {error.message}; it is made again")
            reopen(owner.folder(workdir))


def _run_unfinished(stages: Sequence[Stage], workdir: Path, executor: Executor, progress: Progress) -> None:
    for _, group in groupby(stages, _pass_key):
        waiting = []
        for stage in group:
            if _is_cached(stage, workdir, progress):
                progress.cached(stage)
            else:
                waiting.append(stage)
        if waiting:
            _run(waiting, workdir, executor, progress)


def _pass_key(stage: Stage) -> str:
    return stage.pass_key if isinstance(stage, JoinableStage) else stage.slug


def _is_cached(stage: Stage, workdir: Path, progress: Progress) -> bool:
    """Whether the stage is finished; what is of other bytes, or lacks something, is removed and made anew."""
    folder = stage.folder(workdir)
    manifest = read_manifest(folder)
    if manifest is None:
        return False
    if manifest.inputs != stage.input_records(workdir):
        progress.warn(f"{stage.label} was made from other bytes than are there now; it is made again")
        shutil.rmtree(folder)
        return False
    if stage.lacking(workdir):
        shutil.rmtree(folder)
        return False
    shutil.rmtree(folder / RECEIPTS, ignore_errors=True)
    return True


def _owner(stages: Iterable[Stage], workdir: Path, error: Damaged) -> Stage | None:
    """The stage in whose folder the damaged file lies."""
    path = Path(error.file)
    return next((stage for stage in stages if path.is_relative_to(stage.folder(workdir))), None)


def reopen(folder: Path) -> None:
    """Make a finished stage an unfinished one: the tasks whose files are whole stay done."""
    try:
        manifest = read_manifest(folder)
    except Damaged:
        shutil.rmtree(folder)  # nothing says which of its files are right
        return
    if manifest is None:
        return
    for receipt in manifest.tasks:
        if not any(damages_of(folder, receipt.files)):
            write_sealed(receipt_path(folder, receipt.task), receipt.model_dump())
    (folder / MANIFEST).unlink()


def _run(stages: list[Stage], workdir: Path, executor: Executor, progress: Progress) -> None:
    """Run one stage, or several in the pass that they share."""
    started = time.monotonic()
    joined = tuple(stage for stage in stages if isinstance(stage, JoinableStage))
    whole = SharedPass(scope=joined[0].pass_key, members=joined) if len(joined) > 1 else stages[0]
    if whole not in stages:
        for left_over in (workdir / "stages").glob(f"{whole.slug}-*"):
            shutil.rmtree(left_over)
        for stage in stages:
            _prepare(stage, workdir)
    tasks = _prepare(whole, workdir)
    receipts = [read_receipt(whole.folder(workdir), number) for number in range(tasks)]
    progress.start(whole, tasks, [receipt for receipt in receipts if receipt])
    executor.run_stage(whole, workdir, tasks, progress.advance)
    seconds = (time.monotonic() - started) / len(stages)
    for stage in stages:
        _conclude(stage, workdir, tasks, seconds)
        if lacking := stage.lacking(workdir):
            progress.warn(lacking)
    if whole not in stages:
        shutil.rmtree(whole.folder(workdir))
    progress.end(whole)


def _prepare(stage: Stage, workdir: Path) -> int:
    """Make the folder ready for what is left to do; returns the number of tasks.

    Their list is made once, so that a resumed run has the same.
    """
    folder = stage.folder(workdir)
    remove_unfinished(folder)
    tasks = read_tasks(folder)
    if tasks is None:
        tasks = stage.tasks(workdir)
        write_tasks(folder, tasks)
        carry_over(stage, workdir, tasks)
    remove_undone(folder, len(tasks))
    return len(tasks)


def _conclude(stage: Stage, workdir: Path, tasks: int, seconds: float) -> None:
    """Check the sums, write the stage's own files, and the manifest last."""
    folder = stage.folder(workdir)
    inputs = stage.input_records(workdir)
    assert inputs is not None, "the inputs of a stage are finished before it"
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
        inputs=inputs,
        tasks=receipts,
        files=output.files,
        counts=counts,
        seconds=round(seconds, 3),
    )
    _remove_unknown(folder, manifest)
    write_sealed(folder / MANIFEST, manifest.model_dump())
    shutil.rmtree(folder / RECEIPTS, ignore_errors=True)


def _remove_unknown(folder: Path, manifest: Manifest) -> None:
    """Remove what a task wrote before it was interrupted, where the task that took its place did not."""
    for path in _files_below(folder):
        if path.relative_to(folder).as_posix() not in manifest.by_name:
            path.unlink()


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] != RECEIPTS and not path.is_dir():
            yield path


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

"""The folder of a stage as a run meets it: finished, begun or damaged; made ready, and concluded.

What is there is compared with what was written before it is relied on: a stage counts as finished while its
inputs have the content that it was made from.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from mixers.files import remove_unfinished
from pipelines.errors import WorkError
from pipelines.execution.carry_over import carry_over
from pipelines.execution.counts import total
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
from pipelines.execution.stage import Stage


def is_cached(stage: Stage, workdir: Path) -> tuple[bool, str]:
    """Whether the stage is finished, and a warning where it was made from other bytes than are there now.

    What is of other bytes, or lacks something, is removed.
    """
    folder = stage.folder(workdir)
    manifest = read_manifest(folder)
    if manifest is None:
        return False, ""
    if manifest.inputs != stage.input_records(workdir):
        shutil.rmtree(folder)
        return False, f"{stage.label} was made from other bytes than are there now; it is made again"
    if stage.lacking(workdir):
        shutil.rmtree(folder)
        return False, ""
    shutil.rmtree(folder / RECEIPTS, ignore_errors=True)
    return True, ""


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


def prepare(stage: Stage, workdir: Path) -> int:
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


def conclude(stage: Stage, workdir: Path, tasks: int, seconds: float) -> None:
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

"""Tasks that an earlier output of the same stage has done: their files are taken over instead of made again.

A source that has grown has a new fingerprint, and so has all that is made from it. But of most of its parts
nothing has changed: same input, same settings, same code, same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.execution.fingerprint import canonical_json
from pipelines.execution.manifest import (
    Damaged,
    Manifest,
    Receipt,
    damages_of,
    read_manifest,
    write_sealed,
)
from pipelines.execution.output import Task, read_tasks, receipt_path
from pipelines.execution.stage import Inputs, Stage


class _Done(NamedTuple):
    """A task of an earlier output."""

    folder: Path
    task: Task
    receipt: Receipt


def carry_over(stage: Stage, workdir: Path, tasks: list[Task]) -> None:
    """Give the tasks of a stage that has just begun the files and receipts of equal ones done before."""
    inputs = {before.label: before.manifest(workdir) for before in stage.inputs}
    keys = [_key(stage, task, inputs) for task in tasks]
    if not any(keys):
        return
    done = {key: each for key, each in _done_before(stage, workdir)}
    for number, (key, task) in enumerate(zip(keys, tasks, strict=True)):
        if key in done:
            _take(stage, workdir, number, task, done[key])


def _key(stage: Stage, task: Task, inputs: Inputs) -> bytes | None:
    key = stage.task_key(task, inputs)
    return None if key is None else canonical_json(key)


def _done_before(stage: Stage, workdir: Path) -> Iterator[tuple[bytes, _Done]]:
    """What earlier outputs of the stage with the same settings and code have done, the newest last."""
    folders = (workdir / "stages").glob(f"{stage.slug}-*")
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime_ns):
        try:
            manifest = read_manifest(folder)
            inputs = _inputs_of(manifest, workdir) if manifest else None
        except Damaged:
            continue
        tasks = read_tasks(folder)
        if manifest is None or inputs is None or tasks is None or not _is_same(stage, manifest):
            continue
        for task, receipt in zip(tasks, manifest.tasks, strict=True):
            key = _key(stage, task, inputs)
            if key is not None:
                yield key, _Done(folder, task, receipt)


def _is_same(stage: Stage, manifest: Manifest) -> bool:
    """Whether an output is of this stage, whatever it was made from."""
    then, now = (
        canonical_json(stage.task_settings(settings)) for settings in (manifest.settings, stage.settings)
    )
    same = (manifest.stage, manifest.scope, manifest.version) == (stage.name, stage.scope, stage.version)
    return same and then == now


def _inputs_of(manifest: Manifest, workdir: Path) -> Inputs | None:
    """What an earlier output was made from; None where that is gone, or is no longer what it was."""
    found = {}
    for label, record in manifest.inputs.items():
        before = read_manifest(workdir / "stages" / record.folder)
        if before is None or before.content != record.content:
            return None
        found[label] = before
    return found


def _take(stage: Stage, workdir: Path, number: int, task: Task, done: _Done) -> None:
    """Give one task what an equal one has made, unless its files are damaged or cannot be called anew."""
    folder, files = stage.folder(workdir), []
    if any(damages_of(done.folder, done.receipt.files)):
        return
    for file in done.receipt.files:
        name = stage.carried_name(file.name, done.receipt.task, done.task, number, task)
        if name is None:
            return
        _link(done.folder / file.name, folder / name)
        files.append(file.model_copy(update={"name": name}))
    receipt = done.receipt.model_copy(update={"task": number, "files": files})
    write_sealed(receipt_path(folder, number), receipt.model_dump())


def _link(old: Path, new: Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    new.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)

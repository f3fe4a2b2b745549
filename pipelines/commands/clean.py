"""`coupage clean`: what no recipe of the folder uses any more."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.execution.lock import only_run_in
from pipelines.execution.seal import ATTEMPT, RUN_SEAL, no_run, read_attempt, read_run
from pipelines.execution.trial_results import stages_of_trials
from pipelines.plain import print_json, say


def clean_run(folder: Path, dry_run: bool, json: bool) -> None:
    """`coupage clean`."""
    if not any((folder / name).exists() for name in (RUN_SEAL, ATTEMPT)):
        raise no_run(folder)
    with only_run_in(folder):
        sizes = {path: _size(path) for path in _unused(folder)}
        for path in sizes if not dry_run else ():
            shutil.rmtree(path)
    if json:
        print_json([{"folder": str(path), "bytes": size} for path, size in sizes.items()])
        return
    for path, size in sizes.items():
        say(f"{path}: {size / 1e6:,.1f} MB")
    total = sum(sizes.values()) / 1e6
    say(f"{len(sizes)} stages, {total:,.1f} MB, {'would be' if dry_run else 'were'} removed")


def _unused(folder: Path) -> list[Path]:
    """The folders of stages that belong to no finished run, none under way, and no result of trials."""
    records = filter(None, (read_run(folder), read_attempt(folder)))
    used = {stage.folder for record in records for stage in record.stages.values()}
    used.update(stages_of_trials(folder))
    return [path for path in sorted((folder / "stages").glob("*")) if path.is_dir() and path.name not in used]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())

"""The seal of a run: its stages, and the hash of every file outside their folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mixers.lock import LOCK
from pipelines.execution import trained_stage
from pipelines.execution.manifest import (
    MANIFEST,
    Damage,
    Damaged,
    Manifest,
    check_files,
    read_manifest,
    read_sealed,
    write_sealed,
)
from pipelines.execution.sealed_folder import check_records, file_records, files_below
from pipelines.execution.trained_stage import trained_stages

RUN_SEAL = "run.json"
# Stages have manifests, training has a seal of its own, links lead into stages, and logs are no result.
NOT_COVERED = {RUN_SEAL, LOCK, "stages", trained_stage.FOLDER, "shards", "tokenizer", "logs"}


def seal_run(workdir: Path, recipe: str, stages: dict[str, str]) -> None:
    """Write `run.json`, the last file of a run: its stages' folders by label, and the files outside them."""
    content = {"recipe": recipe, "stages": stages, "files": file_records(workdir, _own_files(workdir))}
    write_sealed(workdir / RUN_SEAL, content)


def recorded_stages(workdir: Path) -> dict[str, Manifest]:
    """The manifest of each stage of a finished run, by label.

    Raises Damaged, also for a run that is not finished.
    """
    if not (workdir / RUN_SEAL).exists():
        raise Damaged(workdir / RUN_SEAL, "is missing: the run was not finished")
    manifests = {}
    for label, name in read_sealed(workdir / RUN_SEAL)["stages"].items():
        manifest = read_manifest(workdir / "stages" / name)
        if manifest is None:
            raise Damaged(workdir / "stages" / name / MANIFEST, "is missing")
        manifests[label] = manifest
    return manifests


def check_run(workdir: Path) -> Iterator[Damage]:
    """Yield every damage of a finished run.

    Its own files, all finished stages, training, sums that do not close.
    """
    try:
        seal = read_sealed(workdir / RUN_SEAL)
    except Damaged as error:
        yield Damage(error.path, error.why)
        return
    yield from check_records(workdir, seal["files"], _own_files(workdir))
    for name in sorted(set(seal["stages"].values()) | _finished_stages(workdir)):
        yield from _check_stage(workdir / "stages" / name)
    for stage in trained_stages(workdir):
        yield from stage.damages()


def _own_files(workdir: Path) -> Iterator[Path]:
    for entry in sorted(workdir.iterdir()):
        if entry.name not in NOT_COVERED and not entry.is_symlink():
            yield from files_below(entry) if entry.is_dir() else [entry]


def _finished_stages(workdir: Path) -> set[str]:
    return {path.parent.name for path in (workdir / "stages").glob(f"*/{MANIFEST}")}


def _check_stage(folder: Path) -> Iterator[Damage]:
    try:
        manifest = read_manifest(folder)
    except Damaged as error:
        yield Damage(error.path, error.why)
        return
    if manifest is None:
        yield Damage(folder / MANIFEST, "is missing")
        return
    yield from check_files(folder, manifest)
    for sentence in manifest.counts.unclosed():
        yield Damage(folder / MANIFEST, sentence)

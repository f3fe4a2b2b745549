"""Seals: the hash of every file of a finished folder, under one seal of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mixers.files import hash_file
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

RUN_SEAL = "run.json"
TRAINING_SEAL = "seal.json"
LOCK = ".lock"
# Stages have manifests, training has a seal of its own, links lead into stages, and logs are no result.
COVERED_ELSEWHERE = {"stages", "train", "shards", "tokenizer", "logs"}


def seal_run(workdir: Path, recipe: str, stages: dict[str, str]) -> None:
    """Write `run.json`, the last file of a run: its stages' folders by label, and the files outside them."""
    content = {"recipe": recipe, "stages": stages, "files": _records(workdir, _own_files(workdir))}
    write_sealed(workdir / RUN_SEAL, content)


def seal_training(folder: Path) -> None:
    """Write the seal of a finished training, over all files in its folder."""
    write_sealed(folder / TRAINING_SEAL, {"files": _records(folder, _files_below(folder))})


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
    yield from _check(workdir, seal["files"], _own_files(workdir))
    for name in sorted(set(seal["stages"].values()) | _finished_stages(workdir)):
        yield from _check_stage(workdir / "stages" / name)
    for result in sorted(workdir.glob("train/*/training.json")):
        yield from _check_training(result.parent)


def _own_files(workdir: Path) -> Iterator[Path]:
    for entry in sorted(workdir.iterdir()):
        if entry.name not in COVERED_ELSEWHERE and not entry.is_symlink():
            yield from _files_below(entry) if entry.is_dir() else _sealable([entry])


def _files_below(folder: Path) -> Iterator[Path]:
    return _sealable(sorted(folder.rglob("*")))


def _sealable(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file() and path.name not in (RUN_SEAL, TRAINING_SEAL, LOCK):
            yield path


def _records(folder: Path, files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "hash": hash_file(path)}
        for path in files
    }


def _check(folder: Path, records: dict[str, dict[str, Any]], present: Iterable[Path]) -> Iterator[Damage]:
    for name, record in records.items():
        path = folder / name
        if not path.is_file():
            yield Damage(path, "is missing")
        elif path.stat().st_size != record["bytes"] or hash_file(path) != record["hash"]:
            yield Damage(path, "has changed: its hash is not the recorded one")
    for path in present:
        if path.relative_to(folder).as_posix() not in records:
            yield Damage(path, "is not part of what was sealed")


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


def _check_training(folder: Path) -> Iterator[Damage]:
    path = folder / TRAINING_SEAL
    if not path.exists():
        yield Damage(path, "is missing")
        return
    try:
        yield from _check(folder, read_sealed(path)["files"], _files_below(folder))
    except Damaged as error:
        yield Damage(error.path, error.why)

"""What a run's folder says of itself: `run.json`, the last finished run, and `attempt.json`, one under way.

An attempt never touches what the finished run consists of: its stages lie in folders of their own, and
`run.json` is replaced when the attempt is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from pipelines.errors import UserError
from pipelines.execution import trained_stage, trial_results
from pipelines.execution.manifest import (
    MANIFEST,
    Damage,
    Damaged,
    FileRecord,
    Manifest,
    damages_of,
    read_manifest,
    read_sealed,
    write_sealed,
)
from pipelines.execution.output import RECEIPTS, whole_files
from pipelines.execution.sealed_folder import SEAL, check_folder, check_records, file_records, files_below
from pipelines.execution.stage import Stage
from pipelines.execution.trained_stage import TrainedStage, check_scores

RUN_SEAL = "run.json"
ATTEMPT = "attempt.json"
REPORT_FILES = (
    *("report.html", "report.json", "README.md", "croissant.json"),
    *("eu_training_summary.md", "eu_training_domains.csv"),
)
"""What a run says of itself to people and machines; the last only where there is something to list."""
OWN_FILES = ("recipe.json", *REPORT_FILES)
"""What a run writes beside its folders."""
OUTCOME = "outcome.json"
"""What all variants of the trained model gave beside each other."""
OUTCOME_PAGE = "outcome.html"
"""The same for people; the report links to it."""
SENT_FILES = (*REPORT_FILES, OUTCOME_PAGE)
"""What is published of these, as far as it is there."""
SEALED_FILES = ("pins.json", "inputs.json", OUTCOME)
"""Files that carry a seal of their own."""
SEALED_FOLDERS = ("passages/*", "outcome/models/*", "outcome/remedies/*/model")
"""Folders that do, once they are finished."""
SEALED_RESULTS = (f"{trial_results.FOLDER}/*.json", "outcome/*.json")


class StageRecord(BaseModel):
    """A stage of a run: its folder, its fingerprint, and the settings that it was made with."""

    folder: str
    fingerprint: str
    settings: dict[str, Any]


class Published(BaseModel):
    """A result under its lasting name: which folder of which stage it stands for."""

    stage: str
    """The stage's folder."""
    below: str
    """The folder in it."""
    files: list[FileRecord]
    """Its files, by their names in that folder."""

    @classmethod
    def of(cls, stage: Stage, below: str, workdir: Path) -> Published:
        """A folder of a finished stage."""
        prefix = f"{below}/"
        files = [
            file.model_copy(update={"name": file.name.removeprefix(prefix)})
            for file in stage.manifest(workdir).all_files()
            if file.name.startswith(prefix)
        ]
        return cls(stage=stage.folder(workdir).name, below=below, files=files)


class RunRecord(BaseModel):
    """A run: its recipe, its stages by label, and its results by their path in the run's folder."""

    recipe: str
    """As JSON: the order of its keys means something."""
    recipe_folder: str | None = None
    """Where its relative paths began."""
    stages: dict[str, StageRecord]
    published: dict[str, Published] = Field(default_factory=dict)
    files: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Size and hash of the run's own files; an attempt has none yet."""

    @classmethod
    def of(cls, recipe: str, recipe_folder: Path, stages: Iterable[Stage], workdir: Path) -> RunRecord:
        """The record of stages as they are to be made."""
        return cls(
            recipe=recipe,
            recipe_folder=str(recipe_folder.absolute()),
            stages={
                stage.label: StageRecord(
                    folder=stage.folder(workdir).name, fingerprint=stage.fingerprint, settings=stage.settings
                )
                for stage in stages
            },
        )


def write_attempt(workdir: Path, record: RunRecord) -> None:
    """Say what is being made in the folder."""
    write_sealed(workdir / ATTEMPT, record.model_dump())


def seal_run(workdir: Path, record: RunRecord) -> None:
    """Write `run.json`, the last file of a run, over the one before; no attempt is under way any more."""
    _write(workdir, record, OWN_FILES)
    (workdir / ATTEMPT).unlink(missing_ok=True)


def reseal_run(workdir: Path, written: Iterable[str]) -> None:
    """Take those of the run's own files that were written again into the seal of the finished run."""
    record = read_run(workdir)
    assert record is not None, "only a finished run is sealed again"
    _write(workdir, record, written)


def _write(workdir: Path, record: RunRecord, written: Iterable[str]) -> None:
    """Seal what was written; what was not, because there is nothing of it to say, is no longer the run's."""
    names = set(written)
    kept = {name: file for name, file in record.files.items() if name not in names}
    there = [workdir / name for name in sorted(names) if (workdir / name).exists()]
    files = kept | file_records(workdir, there)
    write_sealed(workdir / RUN_SEAL, record.model_copy(update={"files": files}).model_dump())


def read_run(workdir: Path) -> RunRecord | None:
    """The last finished run; None where there is none. Raises Damaged."""
    return _read(workdir / RUN_SEAL)


def read_attempt(workdir: Path) -> RunRecord | None:
    """The attempt that was not finished; None where there is none. Raises Damaged."""
    return _read(workdir / ATTEMPT)


def _read(path: Path) -> RunRecord | None:
    if not path.is_file():
        return None
    try:
        return RunRecord.model_validate(read_sealed(path))
    except ValidationError as error:
        raise Damaged("is not of this version", file=str(path)) from error


def no_run(folder: Path) -> UserError:
    """What to say of a folder in which nothing was run."""
    return UserError(
        "this is not the folder of a run",
        file=str(folder),
        hint="Give the folder that `coupage run` named, e.g. runs/quickstart.",
    )


def check_run(workdir: Path) -> Iterator[Damage]:
    """Yield every damage in the folder of a run, finished or not, of all that a later command reads.

    The run's own files, its results under their lasting names, links or copies, all stages, training, what
    stages were made from, and sums that do not close.
    """
    records = []
    for read in (read_run, read_attempt):
        try:
            records.append(read(workdir))
        except Damaged as error:
            yield Damage(Path(error.file), error.message)
    run = records[0] if records else None
    if run:
        yield from check_records(workdir, run.files, ())
        for name, published in run.published.items():
            yield from check_published(workdir, name, published)
    for record in filter(None, records):
        yield from _check_chain(workdir, record, finished=record is run)
    for folder in sorted((workdir / "stages").glob("*")):
        yield from _check_stage(folder)
    for folder in sorted((workdir / trained_stage.FOLDER).glob("*")):
        yield from TrainedStage(workdir, folder.name).damages()
    yield from check_scores(workdir)
    for folder in (path.parent for name in SEALED_FOLDERS for path in sorted(workdir.glob(f"{name}/{SEAL}"))):
        yield from check_folder(folder)
    sealed = (workdir / name for name in SEALED_FILES if (workdir / name).is_file())
    for path in (*sealed, *(path for name in SEALED_RESULTS for path in sorted(workdir.glob(name)))):
        try:
            read_sealed(path)
        except Damaged as error:
            yield Damage(path, error.message)


def check_published(workdir: Path, name: str, published: Published) -> Iterator[Damage]:
    """Yield what is wrong with a result under its lasting name, be it a link to its stage or a copy."""
    path, folder = workdir / name, workdir / "stages" / published.stage / published.below
    if not path.is_dir():
        yield Damage(path, f"is missing: it stands for {folder}")
        return
    if path.resolve() == folder.resolve():
        return  # checked as the stage's
    yield from damages_of(path, published.files)
    known = {record.name for record in published.files}
    for file in files_below(path):
        if file.relative_to(path).as_posix() not in known:
            yield Damage(file, "is not part of what was built")


def _check_chain(workdir: Path, record: RunRecord, *, finished: bool) -> Iterator[Damage]:
    """Yield each stage that is missing, or was made from other bytes than its inputs have."""
    for stage in record.stages.values():
        path = workdir / "stages" / stage.folder / MANIFEST
        manifest = _manifest(path.parent)
        if manifest is None:
            if finished and not path.exists():
                yield Damage(path, "is missing")
            continue
        if manifest.fingerprint != stage.fingerprint:
            yield Damage(path, "is of another stage")
        for label, read in manifest.inputs.items():
            before = _manifest(workdir / "stages" / read.folder)
            if before is not None and before.content != read.content:
                yield Damage(path, f"was made from other bytes than {label} has now")


def _manifest(folder: Path) -> Manifest | None:
    """The manifest of a stage; None where it is missing or damaged, which is told of the stage itself."""
    try:
        return read_manifest(folder)
    except Damaged:
        return None


def _check_stage(folder: Path) -> Iterator[Damage]:
    """Yield what is wrong with a stage's folder; of an unfinished one, with what its tasks have done."""
    try:
        manifest = read_manifest(folder)
    except Damaged as error:
        yield Damage(Path(error.file), error.message)
        return
    if manifest is None:
        yield from damages_of(folder, whole_files(folder).values())
        return
    yield from damages_of(folder, manifest.all_files())
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        known = name == MANIFEST or name in manifest.by_name or name.startswith(f"{RECEIPTS}/")
        if path.is_file() and not known:
            yield Damage(path, "is not in the manifest")
    for sentence in manifest.counts.unclosed():
        yield Damage(folder / MANIFEST, sentence)

"""Stages whose output is given, and not made."""

from dataclasses import dataclass

from pipelines.execution.counts import Counts
from pipelines.execution.manifest import MANIFEST, FileRecord, Manifest, Receipt, write_sealed
from pipelines.execution.output import TaskOutput
from pipelines.stages.language import Language
from pipelines.stages.parts import PartStage


@dataclass(frozen=True, kw_only=True)
class GivenParts(PartStage):
    name = "ingest"
    version = 1
    inputs = ()

    @property
    def domain(self) -> str:
        return self.scope

    def tasks(self, workdir):
        return []

    def run_task(self, workdir, task, output):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class GivenLanguage(Language):
    settings = {}  # noqa: RUF012


def publish(stage, workdir, tables) -> None:
    output = TaskOutput(stage.folder(workdir), 0)
    for number, table in enumerate(tables):
        output.write_table(f"{number:05d}.parquet", table)
    receipt = Receipt(task=0, files=output.files)
    write_manifest(stage, workdir, receipt)


def output_of(stage, workdir) -> TaskOutput:
    stage.folder(workdir).mkdir(parents=True)
    return TaskOutput(stage.folder(workdir), 0)


def write_manifest(stage, workdir, receipt: Receipt, files: tuple[FileRecord, ...] = ()) -> None:
    manifest = Manifest(
        stage=stage.name,
        scope=stage.scope,
        version=stage.version,
        fingerprint=stage.fingerprint,
        settings={},
        inputs=stage.input_records(workdir) or {},
        tasks=[receipt],
        files=list(files),
        counts=Counts(),
        seconds=0,
    )
    stage.folder(workdir).mkdir(parents=True, exist_ok=True)
    write_sealed(stage.folder(workdir) / MANIFEST, manifest.model_dump())

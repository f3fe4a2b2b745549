"""Ingest: a source becomes parts. Text is edited and written here, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from filters.edits.edits import Edit
from pipelines.execution.counts import Count, Flow
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.base import tasks as grouped_units
from pipelines.sources.passed_over import PassedOver
from pipelines.stages.editing import edited
from pipelines.stages.parts import PartStage, write_parts

QUARANTINED = "quarantined"


@dataclass(frozen=True, kw_only=True)
class Ingest(PartStage):
    """One task for about `part_bytes` of input.

    Output: `TTTTT-PPP.parquet` of PART_SCHEMA, `quarantine/TTTTT.parquet`.
    """

    name: ClassVar[str] = "ingest"
    version: ClassVar[int] = 1
    source: Source
    group: str
    reader: dict[str, Any]
    part_bytes: int
    edits: tuple[Edit, ...] = ()

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return ()

    @property
    @override
    def settings(self) -> dict[str, Any]:
        edits = [
            {
                "edit": edit.name,
                "version": edit.version,
                **library_versions(*edit.libraries),
                **edit.model_dump(mode="json"),
            }
            for edit in self.edits
        ]
        return {
            "reader": self.reader,
            "part_size": self.part_bytes,
            "input": self.source.identity(),
            "edits": edits,
        }

    @property
    @override
    def domain(self) -> str:
        return self.group

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        # Runs of the units into which the source cuts its input: many small files make one part.
        grouped = grouped_units(self.source.units(self.part_bytes), self.part_bytes)
        return [{"units": [asdict(unit) for unit in units]} for units in grouped]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        quarantine = Quarantine()
        units = [Unit(**unit) for unit in task["units"]]
        tables = chain.from_iterable(self.source.read(unit, quarantine) for unit in units)
        documents, text_bytes = write_parts(
            edited(tables, self.edits, output.counts), output, self.part_bytes
        )
        reasons = Counter(reason for _, _, reason, _ in quarantine.rows)
        if len(quarantine):
            output.write_table(f"quarantine/{output.task:05d}.parquet", quarantine.table())
        output.counts.flow(
            "records",
            entered=documents + len(quarantine),
            left=documents,
            dropped={Count(QUARANTINED, reason=reason): number for reason, number in reasons.items()},
        )
        output.counts.add("text_bytes_written", text_bytes)
        output.counts.add("input_bytes", sum(unit.bytes for unit in units))
        if output.task == 0:
            for kind, files, example in self.source.passed_over():
                output.counts.add("passed_over", files, scope=kind, reason=example)


def bad_records(stage: Stage, workdir: Path) -> tuple[int, int]:
    """How many records of a finished ingest stage were bad, and how many it read."""
    flow = stage.manifest(workdir).counts.flows.get("records", Flow())
    return sum(n for count, n in flow.dropped.items() if count.what == QUARANTINED), flow.entered


def passed_over(stage: Stage, workdir: Path) -> list[PassedOver]:
    """What a finished ingest stage did not read in its source's folders, the most frequent kind first."""
    rows = stage.manifest(workdir).counts.rows("passed_over")
    found = [PassedOver(count.scope, files, count.reason) for count, files in rows]
    return sorted(found, key=lambda each: -each.files)


def quarantined(stage: Stage, workdir: Path) -> Iterator[pa.Table]:
    """The bad records of an ingest stage, a table a task: file, position, reason, sample."""
    folder = stage.folder(workdir)
    for name in stage.manifest(workdir).part_names(".parquet"):
        if name.startswith("quarantine/"):
            yield pq.read_table(folder / name)

"""Ingest: a source becomes parts. Text is edited and written here, once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import orjson
from typing_extensions import override

from filters.edits.edits import Edit
from pipelines.execution.counts import total
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.output import Output, Task, TaskOutput, read_receipt, read_tasks
from pipelines.execution.stage import Inputs, Stage
from pipelines.sources.base import Source, Unit
from pipelines.sources.base import tasks as grouped_units
from pipelines.sources.passed_over import PassedOver, joined
from pipelines.stages.editing import edited
from pipelines.stages.parts import PartStage, write_parts
from pipelines.stages.set_aside import ReadingStage, SetAside, passed_over_within

PASSED_OVER = "passed_over.json"


@dataclass(frozen=True, kw_only=True)
class Ingest(PartStage, ReadingStage):
    """One task for about `part_bytes` of input.

    Output: `TTTTT-PPP.parquet` of PART_SCHEMA, `quarantine/TTTTT.parquet` of QUARANTINE_SCHEMA, and
    `passed_over.json`, the kinds of files that are not read.
    """

    name: ClassVar[str] = "ingest"
    version: ClassVar[int] = 3
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
        units = self.source.units(self.part_bytes)
        whole = sum(unit.bytes for unit in units)
        return [
            {"units": [asdict(unit) for unit in group], "source_bytes": whole}
            for group in grouped_units(units, self.part_bytes)
        ]

    @override
    def task_key(self, task: Task, inputs: Inputs) -> Any:
        """The units, where the content of their files is known; the mean of all files decides no document."""
        units = [
            {name: value for name, value in unit.items() if name != "mean_file"} for unit in task["units"]
        ]
        return units if all(unit["content"] for unit in units) else None

    @override
    def task_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """All but which files there are."""
        source = {name: value for name, value in settings["input"].items() if name != "files"}
        return settings | {"input": source}

    @override
    def carried_name(self, name: str, old: int, old_task: Task, new: int, task: Task) -> str | None:
        """Not of the quarantine, where what is lost may weigh as much as a mean file."""
        return f"{new:05d}{name.removeprefix(f'{old:05d}')}" if name.startswith(f"{old:05d}-") else None

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        units = [Unit(**unit) for unit in task["units"]]
        with SetAside(self, output, task["source_bytes"]) as set_aside:
            tables = chain.from_iterable(set_aside.read(self.source, unit) for unit in units)
            documents, text_bytes = write_parts(
                edited(tables, self.edits, output.counts), output, self.part_bytes
            )
            set_aside.count(documents)
        output.counts.add("text_bytes_written", text_bytes)

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        """Refuse to be finished when too much of the source was lost."""
        folder = self.folder(workdir)
        receipts = (read_receipt(folder, task) for task in range(len(read_tasks(folder) or ())))
        counts = total(receipt.counts for receipt in receipts if receipt)
        self.check_losses(workdir, counts)
        found = joined([*self.source.passed_over(), *passed_over_within(counts)])
        output.write_json(PASSED_OVER, [each._asdict() for each in found])

    @property
    @override
    def input_name(self) -> str:
        return f"the source `{self.scope}`"


def passed_over(stage: Stage, workdir: Path) -> list[PassedOver]:
    """What a finished ingest stage did not read in its source's folders."""
    found = orjson.loads(stage.path(workdir, PASSED_OVER).read_bytes())
    return [PassedOver(**each) for each in found]

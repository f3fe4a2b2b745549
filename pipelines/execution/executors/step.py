"""The datatrove step that does the tasks of a stage: one rank, one task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
from datatrove.pipeline.base import PipelineStep

from pipelines.execution.output import TASKS, TaskOutput, read_receipt
from pipelines.execution.stage import Stage


class StageStep(PipelineStep):  # type: ignore[misc]
    """Does task number `rank` of `stage`, unless its receipt says that it is done.

    Runs under any datatrove executor with as many ranks as the stage has tasks.
    """

    type = "coupage"

    def __init__(self, stage: Stage, workdir: Path) -> None:
        self.name = stage.label
        super().__init__()
        self.stage = stage
        self.workdir = workdir

    def run(self, data: object = None, rank: int = 0, world_size: int = 1) -> Iterator[object]:
        """Do one task; yields nothing."""
        folder = self.stage.folder(self.workdir)
        if read_receipt(folder, rank) is None:
            task = orjson.loads((folder / TASKS).read_bytes())[rank]
            output = TaskOutput(folder, rank)
            self.stage.run_task(self.workdir, task, output)
            output.write_receipt()
        return iter(())

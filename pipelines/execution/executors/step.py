"""The datatrove step that does the tasks of a stage: one rank, one task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from pipelines.execution.executors.base import run_task
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
        run_task(self.stage, self.workdir, rank)
        return iter(())

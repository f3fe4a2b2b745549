"""Runs of stages in this process, one task after another, to compare others with."""

from collections.abc import Sequence
from pathlib import Path

from mixers.files import hash_file
from pipelines.execution.executors.base import run_task
from pipelines.execution.manifest import MANIFEST
from pipelines.execution.run_stages import run_stages
from pipelines.execution.schedule import Schedule
from pipelines.execution.stage import Stage
from tests.pipelines.execution.test_killed import Warnings


class InTurn:
    """An executor of one worker."""

    def run(self, schedule: Schedule) -> None:
        while taken := schedule.take():
            run_task(taken[0].stage, schedule.workdir, taken[0].task)
            schedule.done(taken[0])


def files_of(workdir: Path) -> dict[str, str]:
    files = [path for path in (workdir / "stages").rglob("*") if path.is_file()]
    return {path.relative_to(workdir).as_posix(): hash_file(path) for path in files if path.name != MANIFEST}


def run_in_turn(stages: Sequence[Stage], workdir: Path) -> None:
    run_stages(stages, workdir, InTurn(), Warnings())

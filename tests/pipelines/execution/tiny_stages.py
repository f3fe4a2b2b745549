"""Stages whose tasks write a line, for graphs of many."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipelines.errors import UserError
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.shared_pass import JoinableStage
from pipelines.execution.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Tiny(Stage):
    """Each task writes what the stages before wrote; `dies` kills the worker of task 0 so many times."""

    name: ClassVar[str] = "tiny"
    version: ClassVar[int] = 1
    before: tuple[Stage, ...] = ()
    count: int = 1
    alone: str = ""
    dies: int = 0

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return self.before

    @property
    def settings(self) -> dict[str, Any]:
        return {"count": self.count}

    def tasks(self, workdir: Path) -> list[Task]:
        return [{"number": number} for number in range(self.count)]

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        with (workdir / f"{self.slug}-{task['number']}-done").open("a") as tried:
            tried.write("x")
            tried.flush()
            if task["number"] == 0 and tried.tell() <= self.dies:
                os.kill(os.getpid(), signal.SIGKILL)
        with output.file(f"{task['number']}.txt") as path:
            path.write_text(" ".join(stage.manifest(workdir).content for stage in self.before))


@dataclass(frozen=True, kw_only=True)
class Joined(JoinableStage, Tiny):
    """Reads one stage, in a pass with others that read it."""

    name: ClassVar[str] = "joined"

    @property
    def pass_key(self) -> str:
        return self.before[0].scope

    @classmethod
    def run_together(
        cls, members: Sequence["Joined"], workdir: Path, task: Task, outputs: Sequence[TaskOutput]
    ) -> int:
        for member, output in zip(members, outputs, strict=True):
            Tiny.run_task(member, workdir, task, output)
        return 0


@dataclass(frozen=True, kw_only=True)
class Failing(Tiny):
    name: ClassVar[str] = "failing"

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        raise UserError("wrong")

"""A pass that several stages share: what they all read is read once, and each keeps a folder of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from pipelines.execution.output import Task, TaskOutput, read_receipt
from pipelines.execution.stage import Stage


class JoinableStage(Stage):
    """A stage that can be made in one pass with others of the same `pass_key`, which have the same tasks."""

    @property
    @abstractmethod
    def pass_key(self) -> str:
        """Names what is read."""

    @classmethod
    @abstractmethod
    def run_together(
        cls, members: Sequence[Self], workdir: Path, task: Task, outputs: Sequence[TaskOutput]
    ) -> int:
        """Do one task of all members, each with its output. Returns the bytes of text that were read."""

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        self.run_together([self], workdir, task, [output])


@dataclass(frozen=True, kw_only=True)
class SharedPass(Stage):
    """The pass itself. It leaves nothing: its receipts only say which tasks all its members have done."""

    name: ClassVar[str] = "pass"
    version: ClassVar[int] = 1
    members: tuple[JoinableStage, ...]

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return self.members[0].inputs

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"members": [member.folder_name for member in self.members]}

    @property
    @override
    def label(self) -> str:
        return f"{self.members[0].name} {self.scope}"

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return self.members[0].tasks(workdir)

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        missing = [m for m in self.members if read_receipt(m.folder(workdir), output.task) is None]
        if not missing:
            return
        outputs = [TaskOutput(member.folder(workdir), output.task) for member in missing]
        read = type(missing[0]).run_together(missing, workdir, task, outputs)
        output.counts.add("text_bytes_read", read)
        for each in outputs:
            each.write_receipt()


def passes(stages: Iterable[Stage]) -> Iterator[list[Stage]]:
    """The stages in order, each alone or with those after it that can share its pass."""
    for _, group in groupby(stages, lambda s: s.pass_key if isinstance(s, JoinableStage) else s.folder_name):
        yield list(group)


def as_one(stages: Sequence[Stage]) -> Stage:
    """The pass that these stages share, or the only one."""
    joined = tuple(stage for stage in stages if isinstance(stage, JoinableStage))
    return SharedPass(scope=joined[0].pass_key, members=joined) if len(joined) > 1 else stages[0]

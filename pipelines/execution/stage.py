"""A stage: a pure function of its inputs, its settings and the version of its code.

The fingerprint of these three names its folder. Its work is a list of tasks that depends on nothing else,
so any number of workers on any machine writes the same files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from typing_extensions import override

from pipelines.errors import WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.manifest import (
    FORMAT,
    Damaged,
    InputRecord,
    Manifest,
    checked_path,
    read_manifest,
)
from pipelines.execution.output import Output, Task, TaskOutput

Inputs = Mapping[str, Manifest]
"""The manifests of a stage's inputs, by their labels."""


@dataclass(frozen=True, kw_only=True)
class Stage(ABC):
    """One node of the graph. `scope` tells apart nodes of the same kind: a source, or a mixture."""

    name: ClassVar[str]
    version: ClassVar[int]
    scope: str

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stage, ...]:
        """The stages whose output this one reads."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything else that its output depends on, the versions of the code it calls too; JSON-able."""
        return {}

    @abstractmethod
    def tasks(self, workdir: Path) -> list[Task]:
        """The units of work and of resume, JSON-able; called once all inputs are finished."""

    @abstractmethod
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Do one task: write files and counts to `output`."""

    def task_key(self, task: Task, inputs: Inputs) -> Any:
        """What decides a task's files, besides `task_settings` and code, JSON-able.

        Tasks alike in all of this are done once. None where all of the stage decides, as of most.
        """
        return None

    def task_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Of this stage's settings, or of an earlier output's, those that decide every task."""
        return settings

    def carried_name(self, name: str, old: int, old_task: Task, new: int, task: Task) -> str | None:
        """What a file of task number `old` is called as one of the equal task `new`; None: nobody knows."""
        return name if old == new else None

    def finish(self, workdir: Path, output: Output) -> None:  # noqa: B027
        """Write the files that need all tasks to be done. Most stages have none."""

    def lacking(self, workdir: Path) -> str:
        """What this finished stage did not get from others, in words; a later run tries again to get it.

        Empty where nothing is lacking, as of nearly all stages.
        """
        return ""

    @property
    def serves(self) -> bool:
        """Whether its tasks serve a model, for which they want an accelerator."""
        return False

    @property
    def alone(self) -> str:
        """Names what no two stages of a run may use at the same time, such as most of a machine's memory.

        Empty where it may run beside any other, as nearly all stages may.
        """
        return ""

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """What must have entered this stage, by unit, according to the manifests of its inputs."""
        return {}

    @property
    def label(self) -> str:
        """The name for people."""
        return f"{self.name} {self.scope}".strip()

    @cached_property
    def fingerprint(self) -> str:
        """The name of this stage's output."""
        return fingerprint(
            {
                "format": FORMAT,
                "stage": self.name,
                "version": self.version,
                "settings": self.settings,
                "inputs": [stage.fingerprint for stage in self.inputs],
            }
        )

    def folder(self, workdir: Path) -> Path:
        """Where this stage's output is."""
        return workdir / "stages" / self.folder_name

    @property
    def folder_name(self) -> str:
        """Tells it apart from all other stages, of this run and of others."""
        return f"{self.slug}-{self.fingerprint[:12]}"

    @property
    def slug(self) -> str:
        """The part of the folder's name that is the same for all settings."""
        return f"{self.name}-{self.scope}" if self.scope else self.name

    def manifest(self, workdir: Path) -> Manifest:
        """The manifest of this stage, which must be finished."""
        manifest = read_manifest(self.folder(workdir))
        if manifest is None:
            raise WorkError(f"the stage `{self.label}` is not finished", hint="Run `coupage run` again.")
        return manifest

    def is_finished(self, workdir: Path) -> bool:
        """Whether its work is done, on its inputs as they are now."""
        try:
            manifest = read_manifest(self.folder(workdir))
            return manifest is not None and manifest.inputs == self.input_records(workdir)
        except Damaged:
            return False

    def input_records(self, workdir: Path) -> dict[str, InputRecord] | None:
        """What it reads, as it is now; None where an input is not finished.

        Raises Damaged when the manifest of an input is not what was written.
        """
        records = {}
        for before in self.inputs:
            folder = before.folder(workdir)
            manifest = read_manifest(folder)
            if manifest is None:
                return None
            records[before.label] = InputRecord(
                folder=folder.name, fingerprint=before.fingerprint, content=manifest.content
            )
        return records

    def path(self, workdir: Path, name: str) -> Path:
        """A file of this finished stage, whose hash is checked when this process asks for it first.

        Raises Damaged when its bytes are not those that were written.
        """
        record = self.manifest(workdir).by_name.get(name)
        if record is None:
            raise WorkError(f"the stage `{self.label}` has no file `{name}`", hint="Run `coupage run` again.")
        return checked_path(self.folder(workdir), record)

    def whole_folder(self, workdir: Path) -> Path:
        """The folder of this finished stage, after every file in it was checked as `path` does."""
        for record in self.manifest(workdir).all_files():
            self.path(workdir, record.name)
        return self.folder(workdir)

    def reopen(self, recorded: str) -> None:
        """Take the fingerprint that a finished run recorded, whatever its code and libraries are now."""
        self.__dict__["fingerprint"] = recorded


class SingleTaskStage(Stage):
    """A stage whose work cannot be divided."""

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [{}]


class ReducingStage(SingleTaskStage):
    """One task over all documents, whose memory grows with their number: one of them runs at a time."""

    @property
    @override
    def alone(self) -> str:
        return "the memory for all documents"


AnyStage = TypeVar("AnyStage", bound=Stage)


def distinct(stages: Iterable[AnyStage]) -> tuple[AnyStage, ...]:
    """The stages in order, each once."""
    return tuple({stage.slug: stage for stage in stages}.values())


def inputs_first(stages: Iterable[Stage]) -> Iterator[Stage]:
    """The stages and all that they are made from, each once and after its inputs."""
    seen: set[str] = set()

    def visit(stage: Stage) -> Iterator[Stage]:
        if stage.folder_name not in seen:
            seen.add(stage.folder_name)
            for before in stage.inputs:
                yield from visit(before)
            yield stage

    for stage in stages:
        yield from visit(stage)

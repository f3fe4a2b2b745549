"""The plan of stages whose folder holds what an earlier version of the program wrote."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from pipelines.execution.manifest import write_sealed
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage
from pipelines.graph.plan import make_plan


@dataclass(frozen=True, kw_only=True)
class Idle(SingleTaskStage):
    """Does nothing."""

    name: ClassVar[str] = "idle"
    version: ClassVar[int] = 1

    @property
    def inputs(self) -> tuple[()]:
        return ()

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        raise NotImplementedError


def test_a_manifest_of_an_earlier_format_is_no_earlier_run(tmp_path):
    folder = tmp_path / "stages" / "idle-web-0123456789ab"
    folder.mkdir(parents=True)
    counts = {"flows": {}, "facts": {"rows": 3}}
    write_sealed(folder / "manifest.json", {"stage": "idle", "scope": "web", "counts": counts})
    (planned,) = make_plan(SimpleNamespace(stages=lambda: [Idle(scope="web")]), tmp_path)
    assert (planned.state, planned.reasons) == ("run", ["not run before"])

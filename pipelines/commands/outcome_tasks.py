"""The models of an outcome trained and asked side by side, a task each, on any executor.

What a task finds is kept in the run's folder as always. So the command that gave out the tasks finds
everything there and asks nothing again.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import orjson
from rich.console import Console
from typing_extensions import override

from pipelines.commands.console import shown_on
from pipelines.commands.outcome_plan import OutcomePlan, Request
from pipelines.evaluation.outcome.measure import NotMeasured
from pipelines.evaluation.outcome.results import FOLDER
from pipelines.execution.executors.registry import make_executor
from pipelines.execution.log_file import LogFile
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.progress import Progress
from pipelines.execution.run_stages import run_stages
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages.trials.accelerator import own_accelerator

WORK = ".work"
"""In the folder of outcomes, while models are asked."""
REFUSED = "refused.json"


@dataclass(frozen=True, kw_only=True)
class AskModel(SingleTaskStage):
    """Trains a model if it is a remedy, and asks its variants all there is.

    Output: `refused.json`, what they cannot be asked. What they say is kept as `Results`.
    """

    name: ClassVar[str] = "ask"
    version: ClassVar[int] = 1
    request: Request
    model: str
    first: str
    """The first variant of the model."""

    @property
    @override
    def label(self) -> str:
        return f"{self.name} {self.first}"

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return ()

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"model": self.model, **asdict(self.request), "folder": str(self.request.folder)}

    @property
    @override
    def serves(self) -> bool:
        return True

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        with own_accelerator():
            plan = self.request.opened().plan()
            columns, measured = plan.ask(plan.columns.of_model(self.model), output.tell)
        untrained = [each for each in columns.missing if each not in plan.columns.missing]
        output.write_json(REFUSED, [asdict(each) for each in (*untrained, *measured.not_measured)])

    def refused(self, workdir: Path) -> list[NotMeasured]:
        """What it could not be asked, or why it could not be trained."""
        found = orjson.loads(self.path(workdir, REFUSED).read_bytes())
        return [NotMeasured(each["measure"], tuple(each["variants"]), each["why"]) for each in found]


def ask_side_by_side(
    plan: OutcomePlan, executor: str, workers: int | None, console: Console
) -> list[NotMeasured]:
    """Train and ask the models of a plan, each in a task.

    Args:
        plan: As it was made here; each task makes it again.
        executor: `local`, `slurm` or `ray`.
        workers: Models at a time.
        console: Where progress is shown.

    Returns:
        What models could not be asked.

    Raises:
        UserError: There is no such executor, or a setting does not fit.
        WorkError: A task failed; what others found is kept.
    """
    request = plan.opened.request
    work = request.folder / FOLDER / WORK
    shutil.rmtree(work / "stages", ignore_errors=True)  # of an earlier command: models may have changed
    stages = [
        AskModel(scope=str(number), request=request, model=model, first=first)
        for number, (first, model) in enumerate(plan.columns.models.items())
    ]
    chosen = make_executor(executor, plan.opened.asked.executor, workers)
    with Progress(LogFile(), shown_on(console)) as progress, chosen as tasks:
        run_stages(stages, work, tasks, progress)
    refused = [each for stage in stages for each in stage.refused(work)]
    shutil.rmtree(work)
    return refused

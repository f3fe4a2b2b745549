"""Benchmarks by name, through the real lm-evaluation-harness (Gao et al. 2024, `lm_eval`).

The harness's own transformers backend asks the model, so that scores compare with those that others publish.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.evaluation.generation import PlainModel
from pipelines.recipe.evaluate import HarnessTask
from pipelines.sources.harness_tasks import HarnessTasks, quiet

FEWSHOT_SEED = 1234
"""The harness's own default, so that the same examples stand before the same questions."""


@dataclass(frozen=True)
class TaskScore:
    """What a task gave. Metrics are named as the harness does, with their filter unless it is `none`.

    `errors` are standard errors. `questions` and `num_fewshot` are those that were really used. A group or
    tag has its tasks in `parts`.
    """

    metrics: dict[str, float]
    errors: dict[str, float]
    questions: int | None
    num_fewshot: int | None
    parts: dict[str, "TaskScore"] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The score in plain types, for JSON."""
        return asdict(self)


class Harness:
    """The tasks that the library ships, and those of your own."""

    def __init__(self, include: Sequence[Path] = ()) -> None:
        """Find the tasks; the library's own only when they are needed, for reading them takes seconds.

        Args:
            include: Folders with YAML files of your own; they win over shipped tasks of the same name.

        Raises:
            ImportError: `lm_eval` is not installed.
            ValueError: A folder is not there.
        """
        self._tasks = HarnessTasks(include)

    def run(self, model: PlainModel, task: HarnessTask, batch_size: int = 8) -> TaskScore:
        """Ask the model all questions of a task.

        Raises:
            ValueError: There is no such task, or it would execute code that the model writes.
            OSError: Its data cannot be had.
        """
        import lm_eval
        from lm_eval.models.huggingface import HFLM

        self.require(task.task)
        with quiet():
            loaded = self._tasks.load(task.task)
            for each in loaded["tasks"].values():
                _set_fewshot(each, task.num_fewshot)
            asked = HFLM(pretrained=model.model, tokenizer=model.tokenizer, batch_size=batch_size)
            found = lm_eval.evaluate(asked, loaded, limit=task.limit, log_samples=False)
        return _score(task.task, found)

    def require(self, name: str) -> None:
        """Raise ValueError where no task, group or tag has this name, here or in the library."""
        self._tasks.require(name)


def _set_fewshot(task: Any, asked: int | None) -> None:
    """The rules of the harness's own command: a task that says 0 keeps it, and the draw has one seed."""
    if task.get_config("num_fewshot") is None or (asked is not None and task.get_config("num_fewshot") != 0):
        task.set_config(key="num_fewshot", value=asked or 0)
    task.set_fewshot_seed(seed=FEWSHOT_SEED)


def _score(name: str, found: dict[str, Any]) -> TaskScore:
    """The score of `name`; a tag has none of its own, only parts."""
    result = found["results"].get(name, {})
    metrics: dict[str, float] = {}
    errors: dict[str, float] = {}
    for key, value in result.items():
        metric, _, chain = key.partition(",")
        if chain and isinstance(value, int | float):
            kind = errors if metric.endswith("_stderr") else metrics
            metric = metric.removesuffix("_stderr")
            kind[metric if chain == "none" else f"{metric},{chain}"] = float(value)
    parts = found["group_subtasks"].get(name) or ([] if result else list(found["results"]))
    return TaskScore(
        metrics,
        errors,
        result.get("sample_len"),
        found["n-shot"].get(name),
        {part: _score(part, found) for part in parts},
    )

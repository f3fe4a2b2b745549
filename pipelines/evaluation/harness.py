"""Benchmarks by name, through the real lm-evaluation-harness (Gao et al. 2024, `lm_eval`).

The harness's own transformers backend asks the model, so that scores compare with those that others publish.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.evaluation.clean import Clean, answers_of, clean_results, metric_name
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.harness_context import ContextLM
from pipelines.evaluation.hit_questions import HitQuestions
from pipelines.evaluation.in_context import Context, ContextUse, Placement
from pipelines.evaluation.intervals import Interval
from pipelines.recipe.evaluate import HarnessTask
from pipelines.sources.harness_tasks import HarnessTasks, quiet

FEWSHOT_SEED = 1234
"""The harness's own default, so that the same examples stand before the same questions."""


@dataclass(frozen=True)
class CleanScore:
    """What a task gave without the questions that were found in training data.

    `intervals` are those of how much more this is than the score of all questions, for metrics that are means
    over a single task's questions.
    """

    metrics: dict[str, float]
    errors: dict[str, float]
    questions: int
    intervals: dict[str, Interval | None]


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
    hit: int | None = None
    """Questions that were found in training data; None: nobody looked for them."""
    clean: CleanScore | None = None
    """Without those; None where nobody looked."""
    context: ContextUse | None = None
    """What became of the text before the questions, of all tasks together; None where there was none."""

    def to_json(self) -> dict[str, Any]:
        """The score in plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Asked:
    """What a task gave, in all and by question."""

    score: TaskScore
    answers: pa.Table
    """`pipelines.evaluation.clean.ANSWERS`."""


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

    def run(
        self,
        model: PlainModel,
        task: HarnessTask,
        batch_size: int = 8,
        hits: HitQuestions | None = None,
        context: Context | None = None,
    ) -> TaskScore:
        """Ask the model all questions of a task, once; with `hits` the score says too what the others gave.

        `context` is put before each question, as much of it as the model has positions for.

        Raises:
            ValueError: There is no such task, it would execute code that the model writes, or it has not the
                questions that were hit.
            OSError: Its data cannot be had.
        """
        return self.ask(model, task, batch_size, hits, context).score

    def ask(
        self,
        model: PlainModel,
        task: HarnessTask,
        batch_size: int = 8,
        hits: HitQuestions | None = None,
        context: Context | None = None,
    ) -> Asked:
        """The same as `run`, with what each question gave."""
        import lm_eval
        from lm_eval.models.huggingface import HFLM

        self.require(task.task)
        with quiet(), redirect_stdout(sys.stderr):  # standard output is for the scores
            loaded = self._tasks.load(task.task)
            for each in loaded["tasks"].values():
                _set_fewshot(each, task.num_fewshot)
            asked = HFLM(pretrained=model.model, tokenizer=model.tokenizer, batch_size=batch_size)
            placement = Placement(model, context) if context is not None else None
            if placement is not None:
                tasks = {each.config.task: each for each in loaded["tasks"].values()}
                asked = ContextLM(asked, tasks, placement)
            found = lm_eval.evaluate(asked, loaded, limit=task.limit, log_samples=True)
            clean = clean_results(task.task, loaded, found["samples"], hits) if hits is not None else {}
            answers = answers_of(task.task, loaded, found["samples"], hits)
        score = _score(task.task, found, clean)
        return Asked(replace(score, context=placement.use) if placement is not None else score, answers)

    def require(self, name: str) -> None:
        """Raise ValueError where no task, group or tag has this name, here or in the library."""
        self._tasks.require(name)


def _set_fewshot(task: Any, asked: int | None) -> None:
    """The rules of the harness's own command: a task that says 0 keeps it, and the draw has one seed."""
    if task.get_config("num_fewshot") is None or (asked is not None and task.get_config("num_fewshot") != 0):
        task.set_config(key="num_fewshot", value=asked or 0)
    task.set_fewshot_seed(seed=FEWSHOT_SEED)


def _score(name: str, found: dict[str, Any], clean: Mapping[str, Clean]) -> TaskScore:
    """The score of `name`; a tag has none of its own, only parts."""
    result = found["results"].get(name, {})
    parts = found["group_subtasks"].get(name) or ([] if result else list(found["results"]))
    return TaskScore(
        _values(result),
        _values(result, errors=True),
        result.get("sample_len"),
        found["n-shot"].get(name),
        {part: _score(part, found, clean) for part in parts},
        clean[name].hit if name in clean else None,
        _clean_score(clean[name]) if name in clean else None,
    )


def _clean_score(clean: Clean) -> CleanScore:
    return CleanScore(
        _values(clean.result),
        _values(clean.result, errors=True),
        clean.result["sample_len"],
        {metric_name(*key.split(",", 1)): interval for key, interval in clean.intervals.items()},
    )


def _values(result: Mapping[str, Any], errors: bool = False) -> dict[str, float]:
    """The metrics in a result of the harness, or their standard errors."""
    found = {}
    for key, value in result.items():
        metric, _, chain = key.partition(",")
        if chain and metric.endswith("_stderr") == errors:
            for name, each in _parts(metric.removesuffix("_stderr"), value).items():
                if isinstance(each, int | float):
                    found[metric_name(name, chain)] = float(each)
    return found


def _parts(metric: str, value: Any) -> dict[str, Any]:
    """A metric that has several values as one of each: LIBRA's by length of text are `libra_score.8p`, ..."""
    return (
        {f"{metric}.{part}": each for part, each in value.items()}
        if isinstance(value, dict)
        else {metric: value}
    )

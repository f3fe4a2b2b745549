"""Benchmarks of the harness, of the domain and general, with and without questions found in training data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mixers.files import known_hash
from pipelines.evaluation.hit_questions import HitQuestions
from pipelines.evaluation.intervals import interval_of_part
from pipelines.evaluation.outcome.held_out import DOMAIN, GENERAL
from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result, Results
from pipelines.evaluation.outcome.table import Estimate, References, Row, Table, Values, row_of_values
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.sealed_folder import files_below
from pipelines.recipe.evaluate import Evaluate, HarnessTask

if TYPE_CHECKING:
    from pipelines.evaluation.harness import Harness

CLEAN = "clean"
"""Before the name of a task: without the questions that were found in training data."""
KEYS = ["asked", "task", "question"]


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """The measure of all tasks in `evaluate.harness`."""

    harness: Harness
    asked: Evaluate
    hits: HitQuestions | None
    general_tasks: Sequence[str]
    kept: Results
    """Tasks are kept one by one too: a single one may take hours."""
    name: str = "benchmarks"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        return {"tasks": [task.model_dump() for task in self.asked.harness], **self._of_all}

    @cached_property
    def _of_all(self) -> Mapping[str, Any]:
        """What decides the result of any task."""
        folders = [Path(folder) for folder in self.asked.include]
        files = [[known_hash(path) for path in files_below(folder)] for folder in folders]
        hits = self.hits or HitQuestions()
        numbers = {"/".join(place): sorted(found) for place, found in hits.numbers.items()}
        return {"files": fingerprint(files), "hits": fingerprint([numbers, sorted(hits.looked_for)])}

    def refuses(self, variant: Variant) -> str | None:
        """All can be asked."""
        return None

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """What each question gave: `pipelines.evaluation.clean.ANSWERS`, with the task that was asked for."""
        return pa.concat_tables([self._of_task(task, variant, loaded) for task in self.asked.harness])

    def _of_task(self, task: HarnessTask, variant: Variant, loaded: Loaded) -> pa.Table:
        settings = {
            "task": task.model_dump(),
            "model": loaded.fingerprint,
            "context": variant.context_is,
            **self._of_all,
        }
        found = self.kept.kept("task", settings)
        return self.kept.keep("task", settings, self._ask(task, variant, loaded)) if found is None else found

    def _ask(self, task: HarnessTask, variant: Variant, loaded: Loaded) -> pa.Table:
        try:
            asked = self.harness.ask(loaded.plain, task, self.asked.batch_size, self.hits, variant.context)
        except OSError as error:
            raise ValueError(f"{task.task}: its questions cannot be had: {error}") from error
        return asked.answers.append_column("asked", pa.repeat(task.task, len(asked.answers)))

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """Of all tasks together that are general, and that are not; and of each task."""
        answers = {name: table for name, table in results.items() if isinstance(table, pa.Table)}
        tasks = [task.task for task in self.asked.harness]
        first = {task: _metrics(answers, task)[:1] for task in tasks}
        sets = {
            DOMAIN: [task for task in tasks if task not in self.general_tasks],
            GENERAL: [task for task in tasks if task in self.general_tasks],
        }
        rows = [
            row_of_values(f"{name} tasks", _joined(values), references)
            for name, of_set in sets.items()
            if (values := [_values(answers, task, m) for task in of_set for m in first[task]])
        ]
        of_tasks = [row for task in tasks for row in _task_rows(answers, task, references)]
        silent = [task for task in tasks if not first[task]]
        notes = [
            f"{task}: none of its metrics is a mean over questions, so differences have no intervals:"
            " coupage evaluate gives its scores."
            for task in silent
        ]
        yield self.name, _table("Benchmarks", [*rows, *of_tasks], notes)
        hit = [row for task in tasks for m in first[task] for row in _hit(answers, task, m, references)]
        yield (
            "hit_questions",
            Table(
                title="Questions found in training data: their change from the base less that of all",
                unit="score",
                counted="found questions",
                rows=hit,
            ),
        )


def _table(title: str, rows: list[Row], notes: list[str]) -> Table:
    return Table(title=title, unit="score", counted="questions", rows=rows, notes=notes)


def _metrics(answers: Mapping[str, pa.Table], task: str) -> list[str]:
    """The metrics of a task that are means, in the harness's order."""
    table = next(iter(answers.values()))
    found: list[str] = pc.unique(table.filter(pc.equal(table["asked"], task))["metric"]).to_pylist()
    return found


def _of(table: pa.Table, task: str, metric: str) -> pa.Table:
    here = pc.and_(pc.equal(table["asked"], task), pc.equal(table["metric"], metric))
    return table.filter(here).sort_by([(key, "ascending") for key in KEYS])


def _values(answers: Mapping[str, pa.Table], task: str, metric: str) -> dict[str, Values]:
    """By variant what each question gave, in one order."""
    return {name: _of(table, task, metric)["value"].to_numpy() for name, table in answers.items()}


def _is_hit(answers: Mapping[str, pa.Table], task: str, metric: str) -> npt.NDArray[np.bool_] | None:
    """Of each question, in the same order, whether it was found; None where nobody looked."""
    hit = _of(next(iter(answers.values())), task, metric)["hit"]
    return None if hit.null_count else hit.to_numpy(zero_copy_only=False).astype(bool)


def _joined(values: Sequence[Mapping[str, Values]]) -> dict[str, Values]:
    """The questions of several tasks as one."""
    return {name: np.concatenate([each[name] for each in values]) for name in values[0]}


def _task_rows(answers: Mapping[str, pa.Table], task: str, references: References) -> Iterator[Row]:
    for metric in _metrics(answers, task):
        values = _values(answers, task, metric)
        yield row_of_values(f"{task}, {metric}", values, references)
        hit = _is_hit(answers, task, metric)
        if hit is not None and hit.any() and not hit.all():
            clean = {name: found[~hit] for name, found in values.items()}
            yield row_of_values(f"{CLEAN} {task}, {metric}", clean, references)


def _hit(answers: Mapping[str, pa.Table], task: str, metric: str, references: References) -> Iterator[Row]:
    """How much more a variant gained on the questions that were found than on all."""
    values, hit = _values(answers, task, metric), _is_hit(answers, task, metric)
    if hit is None or not hit.any() or references.base not in values:
        return
    gains = {
        name: found - values[references.base] for name, found in values.items() if name != references.base
    }
    yield Row(
        name=f"{task}, {metric}",
        count=int(hit.sum()),
        scores={},
        differences={
            name: Estimate(float(gain[hit].mean() - gain.mean()), interval_of_part(gain, hit))
            for name, gain in gains.items()
        },
    )

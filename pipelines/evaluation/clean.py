"""A benchmark without the questions that were found in training data, from one evaluation of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.evaluation.hit_questions import HitQuestions
from pipelines.evaluation.intervals import Interval, interval_of_part

DRAWS = 100
"""For the standard error of what is no mean, as the harness takes for its slow metrics."""
ANSWERS = pa.schema(
    [
        ("task", pa.string()),
        ("metric", pa.string()),
        ("question", pa.int64()),
        ("value", pa.float64()),
        ("hit", pa.bool_()),
    ]
)
"""A row for each question of a task and metric that is a mean over questions.

`metric` is named as in `TaskScore`; `hit` is whether the question was found in training data, null where
nobody looked.
"""


@dataclass(frozen=True)
class Clean:
    """What a task gave without its hit questions."""

    hit: int
    """Questions that were asked and had been found in training data."""
    result: dict[str, Any]
    """As the harness gives that of all questions; no more than their number where none is clean."""
    intervals: dict[str, Interval | None] = field(default_factory=dict)
    """Of how much more the clean questions gave than all, of each metric that is a mean."""


def clean_results(
    asked: str,
    loaded: Mapping[str, Any],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    hits: HitQuestions,
) -> dict[str, Clean]:
    """What each task gave without its hit questions, and each group all of whose tasks were looked for.

    Args:
        asked: The name of what was asked.
        loaded: Its tasks and groups, as the harness loads them.
        samples: What each question got, as the harness logs it.
        hits: The questions to leave out.

    Raises:
        ValueError: A hit question is not among those of its task.
    """
    tasks, groups = loaded["tasks"], loaded["groups"]
    looked_for = _looked_for(asked, loaded, hits)
    found = {
        name: _clean(task, samples[name], _hit_numbers(name, task, hits))
        for name, task in tasks.items()
        if name in looked_for
    }
    results = {name: clean.result for name, clean in found.items() if clean.result["sample_len"]}
    for name, group in groups.items():
        parts = [task.task_name for task in group.get_all_tasks()]
        if group.has_aggregation and looked_for.issuperset(parts):
            # The harness's own weights, with the numbers of clean questions.
            result = group.aggregate(results)
            found[name] = Clean(sum(found[part].hit for part in parts), result)
    return found


def _looked_for(asked: str, loaded: Mapping[str, Any], hits: HitQuestions) -> set[str]:
    """The names of the tasks whose questions were looked for, by their own name or that of a group."""
    if asked in hits.looked_for:
        return set(loaded["tasks"])
    names = {*hits.looked_for, *(task for task, _ in hits.numbers)}
    in_groups = {
        task.task_name
        for name, group in loaded["groups"].items()
        if name in hits.looked_for
        for task in group.get_all_tasks()
    }
    return (names | in_groups) & set(loaded["tasks"])


def _hit_numbers(name: str, task: Any, hits: HitQuestions) -> frozenset[int]:
    """The numbers of the hit questions in the split that the harness asks."""
    split = "test" if task.has_test_docs() else "validation"
    numbers = hits.numbers.get((name, split), frozenset())
    if numbers and max(numbers) >= len(task.eval_docs):
        raise ValueError(
            f"The matches are with another version of {name}: they have its question {split}/{max(numbers)}, "
            f"but there are only {len(task.eval_docs):,}."
        )
    return numbers


def _clean(task: Any, rows: Sequence[Mapping[str, Any]], hit: Collection[int]) -> Clean:
    """Aggregate as the harness does, over the questions that are not among the numbers `hit`."""
    from lm_eval.api.metrics import mean, stderr_for_metric

    numbers: dict[str, list[int]] = defaultdict(list)
    values: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for metric in row["metrics"]:
            numbers[f"{metric},{row['filter']}"].append(row["doc_id"])
            values[f"{metric},{row['filter']}"].append(row[metric])
    result: dict[str, Any] = {"sample_len": 0}
    intervals: dict[str, Interval | None] = {}
    for name, of_all in values.items():
        clean = ~np.isin(numbers[name], list(hit))
        if not clean.any():
            continue
        metric, chain = name.split(",", 1)
        some = [value for value, is_clean in zip(of_all, clean, strict=True) if is_clean]
        aggregate = task.aggregation().get(metric, mean)
        result["sample_len"] = max(result["sample_len"], len(some))
        result[name] = aggregate(some)
        error = stderr_for_metric(aggregate, DRAWS)
        result[f"{metric}_stderr,{chain}"] = error(some) if error and len(some) > 1 else "N/A"
        if aggregate is mean:
            intervals[name] = interval_of_part(np.asarray(of_all, np.float64), clean)
    return Clean(len({row["doc_id"] for row in rows} & set(hit)), result, intervals)


def answers_of(
    asked: str,
    loaded: Mapping[str, Any],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    hits: HitQuestions | None,
) -> pa.Table:
    """What each question gave in the metrics that are means, as ANSWERS; arguments as `clean_results`."""
    from lm_eval.api.metrics import mean

    looked_for = _looked_for(asked, loaded, hits) if hits is not None else set()
    rows = []
    for name, task in loaded["tasks"].items():
        aggregation = task.aggregation()
        hit = _hit_numbers(name, task, hits) if hits is not None and name in looked_for else None
        for row in samples[name]:
            number = row["doc_id"]
            for metric in row["metrics"]:
                if aggregation.get(metric, mean) is mean and isinstance(row[metric], int | float):
                    is_hit = None if hit is None else number in hit
                    rows.append(
                        (name, metric_name(metric, row["filter"]), number, float(row[metric]), is_hit)
                    )
    columns = zip(*rows, strict=True) if rows else [[] for _ in ANSWERS]
    return pa.table(
        [pa.array(list(c), f.type) for c, f in zip(columns, ANSWERS, strict=True)], schema=ANSWERS
    )


def metric_name(metric: str, chain: str) -> str:
    """The metric with the chain of filters before it, if there is one."""
    return metric if chain == "none" else f"{metric},{chain}"

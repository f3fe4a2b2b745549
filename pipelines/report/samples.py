"""The report's section on samples: a few documents of each group and verdict of each source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl

from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.surveyed import Surveyed, surveyed
from pipelines.stages.survey.samples import CHARACTERS, EXAMPLES, excerpt, lowest
from pipelines.stages.survey.survey import SAMPLES

MOST_CHARACTERS = 1_500_000
"""Of all texts together, so that a page of fifty sources can be sent around."""
FEWEST_CHARACTERS = 300
"""Of a text, however many there are."""


def sample_reports(graph: Graph, done: Finished) -> list[dict[str, Any]]:
    """The samples of each source that is surveyed, of each group those that are kept first."""
    sources = list(surveyed(graph, done))
    groups = [each.groups() for each in sources]
    texts = EXAMPLES * sum(map(len, groups))
    characters = min(CHARACTERS, max(FEWEST_CHARACTERS, MOST_CHARACTERS // max(1, texts)))
    return [
        sample
        for each, numbers in zip(sources, groups, strict=True)
        for sample in _samples(each, numbers, characters)
    ]


def _samples(each: Surveyed, numbers: pl.DataFrame, characters: int) -> Iterator[dict[str, Any]]:
    drawn = lowest(each.scan(SAMPLES).collect())
    by_verdict = drawn.partition_by("group", "reason", as_dict=True, include_key=False)
    kept_first = numbers.sort(pl.col("reason").is_not_null(), "group", maintain_order=True)
    for group, reason, documents in kept_first.select("group", "reason", "documents").rows():
        examples = by_verdict.get((group, reason), drawn.clear())
        yield {
            "source": each.source,
            "group": group,
            "reason": reason,
            "documents": documents,
            "examples": [_example(row, characters) for row in examples.iter_rows(named=True)],
        }


def _example(row: dict[str, Any], characters: int) -> dict[str, Any]:
    shorter = excerpt(row, characters)
    turns = shorter.pop("messages")
    return shorter | {
        "turns": turns,
        "cut": row["cut"] or shorter["cut"],
        "signals": orjson.loads(row["signals"]),
        "language": row["language"],
    }

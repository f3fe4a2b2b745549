"""How sure differences between the scores of two runs are: by intervals, or on documents that both had.

Where both runs evaluated the same documents, the models are compared on those alone, and what is hard for
both cancels out of the difference (`pipelines.evaluation.compare`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.evaluation.compare import Compared, compare
from pipelines.execution.trained_stage import TrainedStage
from pipelines.report.comparison.figures import Report, held_out_scores
from trainers.scores import PIECES, SUMS

ROLE = "model"


def score_differences(a: Report, b: Report, folders: tuple[Path, Path]) -> list[dict[str, Any]]:
    """For each stage and group that both evaluated: bits per byte with their intervals.

    `overlap` says whether the intervals do, null where one is not known. `paired` is the difference on the
    documents that both evaluated, with its interval; null where there are none.
    """
    found = []
    for stage, after in b.get("evaluation", {}).items():
        before = a.get("evaluation", {}).get(stage)
        old, new = held_out_scores(before or {}), held_out_scores(after)
        paired = dict(_paired(stage, folders)) if old and new else {}
        for group in (name for name in new if name in old):
            intervals = old[group].get("interval"), new[group].get("interval")
            found.append(
                {
                    "stage": stage,
                    "group": group,
                    "a": old[group]["bits_per_byte"],
                    "b": new[group]["bits_per_byte"],
                    "intervals": list(intervals),
                    "overlap": _overlap(*intervals),
                    "paired": paired.get(group),
                }
            )
    return found


def _overlap(one: list[float] | None, other: list[float] | None) -> bool | None:
    if one is None or other is None:
        return None
    return max(one[0], other[0]) <= min(one[1], other[1])


def _paired(stage: str, folders: tuple[Path, Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    paths = [TrainedStage(folder, stage).pieces_path for folder in folders]
    if not all(path.is_file() for path in paths):
        return
    documents = [_documents(path) for path in paths]
    keys = ["doc_id", "group", "bytes"]
    both = documents[1].join(documents[0].select(keys), on=keys, how="semi", maintain_order="left")
    if both.is_empty():
        return
    other = both.select(keys).join(documents[0], on=keys, how="left", maintain_order="left")
    compared = compare({"b": _pieces(both), "a": _pieces(other)})
    of_groups: Mapping[str, Compared] = {**compared.groups, "all": compared.total}
    for group, found in of_groups.items():
        difference = found.differences["a"]
        yield (
            group,
            {
                "documents": found.documents,
                "delta": difference.bits_per_byte,
                "interval": list(difference.interval) if difference.interval else None,
            },
        )


def _documents(path: Path) -> pl.DataFrame:
    """What the trained model got on each document; one with a piece that it could not score has no tokens."""
    table = pq.read_table(path, filters=[("model", "=", ROLE)])
    pieces = pl.DataFrame(pl.from_arrow(table.select(PIECES.names)))
    by_document = pieces.group_by("doc_id", "group", maintain_order=True).agg(
        pl.first("cluster", "language"), pl.sum(*SUMS), scored=(pl.col("tokens") > 0).all()
    )
    return by_document.with_columns(
        pl.when("scored").then(pl.col("tokens")).otherwise(0), first_token=pl.lit(0, pl.Int64)
    )


def _pieces(documents: pl.DataFrame) -> pa.Table:
    return documents.select(PIECES.names).to_arrow().cast(PIECES)

"""Samples: a few documents of each group and verdict of a part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from pipelines.sources.schema import MESSAGES
from pipelines.stages.document_rows import documents_at

EXAMPLES = 3
CHARACTERS = 2_000
"""Of a text that are shown."""
READ = ["doc_id", "text", "license", "url", "messages"]
SAMPLE = pa.schema(
    [
        ("group", pa.string()),
        ("reason", pa.string()),
        ("draw", pa.uint64()),
        ("doc_id", pa.string()),
        ("text", pa.string()),
        ("cut", pa.bool_()),
        ("messages", MESSAGES),
        ("signals", pa.string()),
        ("language", pa.string()),
        ("license", pa.string()),
        ("url", pa.string()),
    ]
)
"""`cut`: there is more text. `signals`: those that the reason is about, as JSON."""
GROUPS = ("group", "reason")


def lowest(documents: pl.DataFrame) -> pl.DataFrame:
    """The documents of each group and reason that are drawn first, equal texts once.

    It is the same whether documents come at once, or the lowest of some and the lowest of others.

    Args:
        documents: `group`, `reason`, `draw` and `doc_id`.
    """
    draws = documents.group_by(GROUPS).agg(pl.col("draw").unique().bottom_k(EXAMPLES)).explode("draw")
    drawn = documents.join(draws, on=[*GROUPS, "draw"], how="semi", nulls_equal=True)
    return drawn.sort(*GROUPS, "draw", "doc_id").unique([*GROUPS, "draw"], keep="first", maintain_order=True)


def samples(path: Path, documents: pl.DataFrame, numbers: pa.Table, reasons: dict[str, str]) -> pa.Table:
    """What is shown of a part's documents that are drawn (SAMPLE).

    Args:
        path: The part.
        documents: Of each document `group`, `reason`, `draw`, `doc_id`, `held_out` and `language`. Held-out
            documents are not shown.
        numbers: Of each document the columns that reasons are about.
        reasons: Which column a reason is about.
    """
    candidates = documents.with_row_index("row").filter(~pl.col("held_out"))
    drawn = lowest(candidates).sort("row")
    rows = drawn["row"].cast(pl.Int64).to_numpy()
    rows_shown = zip(
        drawn.iter_rows(named=True),
        numbers.take(pa.array(rows)).to_pylist(),
        documents_at(path, rows, READ),
        strict=True,
    )
    shown = []
    for row, values, document in rows_shown:
        column = reasons.get(row["reason"])
        signals = orjson.dumps({column: values[column]} if column else {}).decode()
        known = {name: row[name] for name in ("group", "reason", "draw", "language")}
        shown.append(known | excerpt(document, CHARACTERS) | {"signals": signals})
    return pa.Table.from_pylist(shown, SAMPLE)


def excerpt(document: dict[str, Any], characters: int) -> dict[str, Any]:
    """The beginning of a document: `doc_id`, `text`, `cut`, `messages`, `license`, `url`."""
    turns = document["messages"]
    shown = None if turns is None else list(_beginning(turns, characters))
    whole = len(document["text"]) <= characters and shown == turns
    return {
        "doc_id": document["doc_id"],
        "text": document["text"][:characters],
        "cut": not whole,
        "messages": shown,
        "license": document["license"],
        "url": document["url"],
    }


def _beginning(turns: list[dict[str, str]], characters: int) -> Iterator[dict[str, str]]:
    """The first turns, with so many characters in all."""
    for turn in turns:
        if characters <= 0:
            return
        content = (turn["content"] or "")[:characters]
        characters -= max(1, len(content))
        yield {"role": turn["role"], "content": content}

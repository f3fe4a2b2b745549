"""Judgements of people on matches with benchmarks: which are none, and why. These are allowed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from pipelines.errors import UserError

FIELDS = {"benchmark": pl.String, "item_id": pl.String, "doc_id": pl.String, "judgement": pl.Boolean}
EXAMPLE = '{"benchmark": "gsm8k", "item_id": "7", "doc_id": "web/5", "judgement": false, "why": "a proverb"}'


@dataclass(frozen=True)
class Judgements:
    """What was judged: of all documents where there is no `doc_id`, but of those with a word of their own.

    Of several on the same the last counts.
    """

    rows: tuple[tuple[str, str, str | None, bool], ...] = ()

    def are_false(self, matches: pl.DataFrame) -> pl.Series:
        """Which matches (columns benchmark, item_id, doc_id) are judged to be none."""
        return ~self.on(matches).fill_null(True)

    def on(self, matches: pl.DataFrame) -> pl.Series:
        """What was judged of each of these matches; null where nothing was."""
        judged = pl.DataFrame(self.rows, schema=FIELDS, orient="row").unique(
            ["benchmark", "item_id", "doc_id"], keep="last", maintain_order=True
        )
        item = ["benchmark", "item_id"]
        own = matches.join(judged, on=[*item, "doc_id"], how="left", maintain_order="left")["judgement"]
        of_all = judged.filter(pl.col("doc_id").is_null()).drop("doc_id")
        common = matches.join(of_all, on=item, how="left", maintain_order="left")["judgement"]
        return own.zip_with(own.is_not_null(), common)


def read_judgements(path: Path) -> Judgements:
    """The judgements in a file of JSON lines. Raises UserError where it is missing or a line is none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(
            f"the judgements cannot be read: {error.strerror}",
            file=str(path),
            place="decontaminate.allow",
            hint="Name a file of JSON lines; `coupage judge` writes one. Paths begin at the recipe's folder.",
        ) from error
    return Judgements(
        tuple(_judgement(line, number, path) for number, line in enumerate(lines, 1) if line.strip())
    )


def _judgement(line: bytes, number: int, path: Path) -> tuple[str, str, str | None, bool]:
    try:
        found: Any = orjson.loads(line)
        row = (found["benchmark"], found["item_id"], found.get("doc_id"), found["judgement"])
        kinds = (str, str, str | None, bool)
        if (
            all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))
            and isinstance(found["why"], str)
            and found["why"].strip()
            and found.keys() <= {*FIELDS, "why"}
        ):
            return row
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass
    raise UserError(
        "this is no judgement with a reason",
        file=str(path),
        place=f"line {number}",
        hint=f"Write such as {EXAMPLE}",
    )

"""Which documents of a source became something else from one run to another, and why: exactly, by their ids.

A document is told by its id; of several with one id in a source the first of one run is that of the other,
and so on. Where both runs have the same documents in the same parts, verdicts are compared row by row;
else both are divided by the hash of the id, and joined a division at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from pipelines.execution.manifest import FileRecord, Manifest, checked_path
from pipelines.execution.spill import Partitions, partitions_for

EXAMPLES = 3
KEPT, HELD_OUT = "kept", "held out"
COLUMNS = ["doc_id", "keep", "held_out", "reason"]
_STATE = (
    pl.when(pl.col("keep") & pl.col("held_out"))
    .then(pl.lit(HELD_OUT))
    .when("keep")
    .then(pl.lit(KEPT))
    .otherwise("reason")
)


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of a run on the documents of one source."""

    source: str
    folder: Path
    """Of the stage that judged them."""
    select: Manifest
    files: tuple[FileRecord, ...]

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(file.rows for file in self.files)

    @property
    def order(self) -> tuple[Any, ...]:
        """What is the same where the documents are, in the same parts and order."""
        hashes = self.select.inputs.get(f"annotate {self.source}-hashes")
        return (hashes.content if hashes else None, *((file.name, file.rows) for file in self.files))

    def states(self) -> Iterator[pl.DataFrame]:
        """`doc_id` and `state` of the documents, part by part: kept, held out, or why dropped."""
        for file in self.files:
            table = pq.read_table(checked_path(self.folder, file), columns=COLUMNS)
            yield pl.DataFrame(pl.from_arrow(table)).select(pl.col("doc_id").cast(pl.String), state=_STATE)


def verdicts_of(folder: Path, selects: Iterable[Manifest], folders: Iterable[str]) -> dict[str, Verdicts]:
    """The verdicts of a run by source; what several increments judge counts as the first one judges it."""
    found: dict[str, Verdicts] = {}
    for select, name in zip(selects, folders, strict=True):
        files: dict[str, list[FileRecord]] = {}
        for file in (file for task in select.tasks for file in task.files):
            if file.name.endswith(".parquet") and "/" in file.name:
                files.setdefault(file.name.partition("/")[0], []).append(file)
        for source, of_source in files.items():
            found.setdefault(source, Verdicts(source, folder / "stages" / name, select, tuple(of_source)))
    return found


def moved_documents(a: dict[str, Verdicts], b: dict[str, Verdicts]) -> list[dict[str, Any]]:
    """Of each source in both runs the documents that are not what they were; nothing where all are.

    `kept_only_a` and `kept_only_b` are those that one run keeps (held out or not) and the other has dropped,
    or does not have. `moves` are all changes: what they were and are (a reason, `kept`, `held out`, or null
    where the run has no such document), how many, and the ids of some.
    """
    return [
        found
        for source, before in a.items()
        if (after := b.get(source)) is not None
        and [file.hash for file in before.files] != [file.hash for file in after.files]
        and (found := _moved(before, after))["moves"]
    ]


def _moved(a: Verdicts, b: Verdicts) -> dict[str, Any]:
    moves = _Moves()
    for pairs in _by_row(a, b) if a.order == b.order else _by_id(a, b):
        moves.add(pairs)
    return {"source": a.source, "documents_a": a.documents, "documents_b": b.documents, **moves.to_json()}


def _by_row(a: Verdicts, b: Verdicts) -> Iterator[pl.DataFrame]:
    for before, after in zip(a.states(), b.states(), strict=True):
        yield before.rename({"state": "a"}).with_columns(b=after["state"])


def _by_id(a: Verdicts, b: Verdicts) -> Iterator[pl.DataFrame]:
    """Joined by id, a division of all ids at a time; the files are in the system's folder for such."""
    with tempfile.TemporaryDirectory() as scratch:
        number = partitions_for(max(a.documents, b.documents))
        sides = [_divided(each, Path(scratch), name, number) for name, each in (("a", a), ("b", b))]
        for division in range(number):
            before, after = (_division(side, division, name) for name, side in zip("ab", sides, strict=True))
            yield before.join(after, on=["doc_id", "time"], how="full", coalesce=True).drop("time")


def _divided(verdicts: Verdicts, folder: Path, name: str, number: int) -> Partitions:
    divided = Partitions(folder, name, number)
    for states in verdicts.states():
        divided.add((states["doc_id"].hash(seed=0) % number).to_numpy(), states.to_arrow())
    return divided


def _division(side: Partitions, number: int, name: str) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"doc_id": pl.String, "state": pl.String})
    tables = [pl.DataFrame(pl.from_arrow(table)) for table in side.tables(number)]
    side.remove(number)
    return pl.concat([empty, *tables]).select(
        "doc_id", pl.col("state").alias(name), time=pl.int_range(pl.len()).over("doc_id")
    )


class _Moves:
    """The changes of a source's documents, added up."""

    def __init__(self) -> None:
        pair = {"a": pl.String, "b": pl.String}
        self.numbers = pl.DataFrame(schema={**pair, "documents": pl.Int64})
        self.examples = pl.DataFrame(schema={**pair, "doc_id": pl.String})
        """The first ids of each change."""

    def add(self, pairs: pl.DataFrame) -> None:
        """Add documents: `doc_id`, and what they are in each run as `a` and `b`, of which one may be null."""
        moved = pairs.filter(pl.col("a").ne_missing(pl.col("b"))).select("a", "b", "doc_id")
        numbers = moved.group_by("a", "b").agg(documents=pl.len().cast(pl.Int64))
        self.numbers = pl.concat([self.numbers, numbers]).group_by("a", "b").agg(pl.sum("documents"))
        both = pl.concat([self.examples, moved]).sort("doc_id")
        self.examples = both.group_by("a", "b", maintain_order=True).head(EXAMPLES)

    def to_json(self) -> dict[str, Any]:
        """The most frequent first."""
        examples: dict[tuple[str | None, str | None], list[str]] = {}
        for a, b, doc_id in self.examples.rows():
            examples.setdefault((a, b), []).append(doc_id)
        moves = [
            {"a": a, "b": b, "documents": number, "examples": examples[a, b]}
            for a, b, number in self.numbers.sort(
                "documents", "a", "b", descending=[True, False, False]
            ).rows()
        ]

        def only(one: str, other: str) -> int:
            stays = (KEPT, HELD_OUT)
            return sum(move["documents"] for move in moves if move[one] in stays and move[other] not in stays)

        return {"kept_only_a": only("a", "b"), "kept_only_b": only("b", "a"), "moves": moves}

"""Which source a duplicate was dropped in favour of: sources that overlap, and duplicates to be shown.

A verdict names the survivor by its id. The ids that are named are held as hashes, and all ids go past them
part by part: memory grows by 16 bytes for each survivor that is named, and with nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from filters.text.values import value_hashes
from pipelines.graph.build import Graph
from pipelines.stages.parts import PartStage
from pipelines.stages.select import DUPLICATE, REFERENCE, Select

EXAMPLES = 6
DROPPED = pl.col("reason").is_in(list(DUPLICATE.values()))
NOT_NEAR, NOT_ACROSS = np.uint64(1 << 63), np.uint64(1 << 62)
RANKS_A_SURVIVOR = 4

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Document:
    """Where a document stands."""

    parts: PartStage
    part: str
    row: int

    @property
    def source(self) -> str:
        """The source that it is of."""
        return self.parts.scope


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """A document that was dropped, and the one that it is a duplicate of."""

    rank: int
    """The lowest are shown."""
    similarity: float
    method: str
    dropped: Document
    kept: Document


@dataclass(frozen=True)
class Compared:
    """The documents that a selection compares, numbered in the order of its parts."""

    graph: Graph
    select: Select
    workdir: Path

    @cached_property
    def _parts(self) -> list[tuple[PartStage, str]]:
        return [
            (parts, part) for parts in self.select.preference.parts for part in parts.part_names(self.workdir)
        ]

    @cached_property
    def _starts(self) -> Numbers:
        rows = (rows for parts in self.select.preference.parts for rows in parts.part_rows(self.workdir))
        return np.cumsum([0, *rows])

    @cached_property
    def _own(self) -> set[str]:
        """The sources that no earlier selection has judged."""
        return {parts.scope for parts, select in self.graph.part_stages() if select is self.select}

    def at(self, number: int) -> Document:
        """The document of that number."""
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        parts, part = self._parts[place]
        return Document(parts=parts, part=part, row=number - int(self._starts[place]))

    @cached_property
    def sources(self) -> list[str]:
        """The names of the sources."""
        return [parts.scope for parts in self.select.preference.parts]

    def sources_of(self, numbers: Numbers) -> Numbers:
        """For each document its source's place in `sources`."""
        of_part = np.array([self.sources.index(parts.scope) for parts, _ in self._parts], np.int64)
        return of_part[np.searchsorted(self._starts, numbers, side="right") - 1]

    def verdicts(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """The verdicts of each part that is judged for the first time, with the `number` of its documents."""
        for (parts, part), first in zip(self._parts, self._starts.tolist(), strict=False):
            if parts.scope in self._own:
                yield _numbered(self.select.verdict(self.workdir, parts.scope, part, columns), first)

    def survivors(self) -> Iterator[pl.DataFrame]:
        """The documents of each part of which there may be duplicates: `doc_id`, `number`."""
        columns = ["doc_id", "keep", "reason", "cluster_size"]
        survives = pl.col("keep") | (pl.col("reason") == REFERENCE)
        standing = {each.source for each in self.select.preference.standing}
        for (parts, part), first in zip(self._parts, self._starts.tolist(), strict=False):
            stands = parts.scope in standing
            judge = self.graph.select_of(parts.scope) if stands else self.select
            verdicts = _numbered(judge.verdict(self.workdir, parts.scope, part, columns), first)
            # An earlier increment does not know of duplicates that came later.
            connected = pl.lit(value=True) if stands else pl.col("cluster_size") > 1
            yield verdicts.filter(survives & connected).select("doc_id", "number")


def overlap(compared: Compared) -> tuple[Counter[tuple[str, str]], list[Duplicate]]:
    """How many documents of a source were dropped for a survivor of each source, and a few of them.

    Near duplicates are shown first, and of these the ones across sources; then a draw by the survivor's id
    decides. Of a survivor there is one duplicate at most.
    """
    named = _named(compared)
    numbers = _numbers_of(named, compared)
    sources = len(compared.sources)
    counts = np.zeros(sources * sources, np.int64)
    shown = pl.DataFrame(schema={"rank": pl.UInt64, "survivor": pl.Int64})
    for verdicts in compared.verdicts(["reason", "kept_doc_id", "similarity", "method"]):
        dropped = verdicts.filter(DROPPED)
        dropped = dropped.with_columns(hash=_hashes(dropped["kept_doc_id"]))
        dropped = dropped.with_columns(survivor=numbers[np.searchsorted(named, dropped["hash"])])
        dropped = dropped.filter(pl.col("survivor") >= 0)
        source, kept = (compared.sources_of(dropped[name].to_numpy()) for name in ("number", "survivor"))
        counts += np.bincount(source * sources + kept, minlength=len(counts))
        near = (dropped["method"] == "minhash") & (dropped["similarity"] < 1)
        rank = dropped["hash"].to_numpy() >> np.uint64(2)
        rank |= np.where(near.to_numpy(), 0, NOT_NEAR) | np.where(source != kept, 0, NOT_ACROSS)
        _, first = np.unique(rank, return_index=True)
        lowest = dropped.with_columns(rank=rank)[first[: RANKS_A_SURVIVOR * EXAMPLES]]
        shown = pl.concat([shown, lowest], how="diagonal").sort("rank")
        shown = shown.unique("survivor", keep="first", maintain_order=True).head(EXAMPLES)
    names = compared.sources
    found = {divmod(code, sources): int(counts[code]) for code in np.flatnonzero(counts).tolist()}
    pairs = Counter({(names[source], names[kept]): number for (source, kept), number in found.items()})
    return pairs, [_duplicate(row, compared) for row in shown.rows(named=True)]


def _named(compared: Compared) -> Hashes:
    """The hashes of the ids that are named as survivors, ascending."""
    found = [np.empty(0, np.uint64)]
    for verdicts in compared.verdicts(["reason", "kept_doc_id"]):
        found.append(_distinct(_hashes(verdicts.filter(DROPPED)["kept_doc_id"])))
    return _distinct(np.concatenate(found))


def _distinct(hashes: Hashes) -> Hashes:
    """Each once, ascending; in half the time of numpy's function."""
    ascending = np.sort(hashes)
    distinct: Hashes = ascending[np.diff(ascending, prepend=np.uint64(0)) != 0]
    return distinct


def _numbers_of(named: Hashes, compared: Compared) -> Numbers:
    """The number of each survivor, -1 if it is not there."""
    numbers = np.full(len(named) + 1, -1)
    for documents in compared.survivors():
        hashes = _hashes(documents["doc_id"])
        order = np.argsort(hashes)  # searching is several times faster in order
        place = np.searchsorted(named, hashes[order])
        here = np.append(named, 0)[place] == hashes[order]
        numbers[place[here]] = documents["number"].to_numpy()[order[here]]
    return numbers


def _numbered(verdicts: pa.Table, first: int) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(verdicts))
    return frame.with_columns(number=pl.int_range(first, first + len(frame), dtype=pl.Int64))


def _hashes(ids: pl.Series) -> Hashes:
    """The hash of each id."""
    hashes: Hashes = value_hashes(ids.to_arrow())
    return hashes


def _duplicate(row: dict[str, Any], compared: Compared) -> Duplicate:
    given = {name: row[name] for name in ("rank", "similarity", "method")}
    return Duplicate(**given, dropped=compared.at(row["number"]), kept=compared.at(row["survivor"]))

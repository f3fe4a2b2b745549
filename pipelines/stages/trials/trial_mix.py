"""Trial mix: a mixture in small, of a share of the documents, so that they repeat as in the stage itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.text.values import value_hashes
from mixers.arrays import Allocate
from mixers.plan import MixturePlan
from pipelines.execution.counts import Count
from pipelines.execution.output import TaskOutput, read_arrow
from pipelines.execution.stage import Stage, distinct
from pipelines.stages.hash_sampling import VERSION as DRAW_VERSION
from pipelines.stages.hash_sampling import mixed
from pipelines.stages.mix import Mix, MixStage

SUPPLY = "supply.json"
SCORED = "scored"
"""The documents on which trials are scored, and those that stand for them as duplicates."""


@dataclass(frozen=True, kw_only=True)
class TrialMix(Mix):
    """A plan of a mixture that is tried. Output, besides a plan's: `supply.json`, see `supply`.

    Of each group the first documents in an order drawn by their ids take part, until they have `share` of
    its tokens (Goyal et al. 2024, "Scaling Laws for Data Filtering": how often documents repeat decides what
    a mixture is worth, so a small run must repeat them as the large one does). What the run holds out takes
    no part, nor does a document that stands for it as its duplicate here.
    """

    name: ClassVar[str] = "trial_mix"
    version: ClassVar[int] = 1
    share: float
    draw: int
    """The seed of the order; replicates differ in it."""
    kept_out: MixStage
    """The documents on which trials are scored."""

    @property
    @override
    def settings(self) -> dict[str, Any]:
        drawn = {"share": self.share, "draw": self.draw, "sampling": DRAW_VERSION}
        return super().settings | drawn | {"mix": Mix.version}

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (*super().inputs, *distinct(each.select for each in self.tokenized), self.kept_out)

    @override
    def asked_about(self, workdir: Path) -> Mapping[str, pa.Array]:
        scored = self.kept_out.used(workdir)
        chunks = [scored, *self._in_their_place(workdir, scored)]
        return {**super().asked_about(workdir), SCORED: pc.unique(pa.chunked_array(chunks)).drop_null()}

    def _in_their_place(self, workdir: Path, scored: pa.Array) -> Iterator[pa.Array]:
        """The documents that stand for those that are scored, where another selection judges them here."""
        own = {each.select.folder_name for each in self.kept_out.tokenized}
        for stage in self.tokenized:
            names = stage.parts.part_names(workdir) if stage.select.folder_name not in own else []
            for part in names:
                table = stage.select.verdict(workdir, stage.scope, part, ["doc_id", "kept_doc_id"])
                here = pc.is_in(table.column("doc_id").cast(pa.string()), scored)
                yield from table.column("kept_doc_id").cast(pa.string()).filter(here).chunks

    @override
    def excluded(
        self, documents: pa.Table, known: Mapping[str, pa.Array]
    ) -> Iterator[tuple[Count, pa.ChunkedArray]]:
        yield from super().excluded(documents, known)
        yield Count(SCORED), pc.is_in(documents.column("doc_id"), known[SCORED])

    @override
    def groups(self, corpus: Path, allocate: Allocate) -> pa.Array:
        groups = super().groups(corpus, allocate)
        no_group = pa.scalar(len(groups.dictionary) - 1, groups.indices.type)  # the last name is null
        takes_part = drawn(groups.indices, read_arrow(corpus), self.share, self.draw)
        return pa.DictionaryArray.from_arrays(
            pc.if_else(pa.array(takes_part), groups.indices, no_group), groups.dictionary
        )

    @override
    def count_tokens(self, corpus: Path, plan: MixturePlan, output: TaskOutput) -> None:
        super().count_tokens(corpus, plan, output)
        whole = read_arrow(corpus).select(["source", self.mixture.unit])
        whole = whole.append_column("group", super().groups(corpus, np.empty).cast(pa.string()))
        sums = whole.group_by(["group", "source"]).aggregate([(self.mixture.unit, "sum")])
        supply: dict[str, dict[str, int]] = {}
        for row in sums.filter(pc.field("group").is_valid()).to_pylist():
            supply.setdefault(row["group"], {})[row["source"]] = row[f"{self.mixture.unit}_sum"]
        output.write_json(SUPPLY, supply)

    def supply(self, workdir: Path) -> dict[str, dict[str, int]]:
        """What one pass over all documents gives, in the mixture's unit, by group and source."""
        found: dict[str, dict[str, int]] = orjson.loads(self.path(workdir, SUPPLY).read_bytes())
        return found


def drawn(groups: pa.Array, documents: pa.Table, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which documents take part: of each group the first by their draws, up to `share` of its tokens.

    Args:
        groups: `[documents]`, a number.
        documents: `doc_id` and `tokens` of each.
        share: Of each group's tokens; a group has one document at least.
        seed: Of the draws.
    """
    ids = documents.column("doc_id").combine_chunks()
    order = mixed(value_hashes(ids) ^ mixed(np.full(1, seed, np.uint64)))
    frame = pl.DataFrame({"group": pl.Series(groups), "order": order})
    frame = frame.with_columns(tokens=pl.Series(documents.column("tokens")), row=pl.int_range(pl.len()))
    before = pl.col("tokens").cum_sum().over("group") - pl.col("tokens")
    enough = share * pl.col("tokens").sum().over("group")
    rows = frame.sort("order", "row").filter(before < enough)["row"].to_numpy()
    chosen = np.zeros(len(frame), bool)
    chosen[rows] = True
    return chosen

"""Verdicts on matches: what is done with a document that has something of an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.execution.stage import Stage
from pipelines.sources.judgements import Judgements
from pipelines.stages.contamination.matches import Matches
from pipelines.stages.contamination.semantic import MECHANISM
from pipelines.stages.contamination.semantic_matches import SEMANTIC_MATCHES, SemanticMatches

DROP, CUT, FLAG = "drop", "cut", "flag"
REASON = "contamination"
ALLOWED = "allowed"


@dataclass(frozen=True, kw_only=True)
class ContaminationVerdicts:
    """What the matches of a source mean for its documents."""

    matches: Matches
    semantic: SemanticMatches | None = None
    actions: Mapping[tuple[str, str], str] = field(hash=False)
    """By benchmark and kind: drop, cut or flag. What a cut left over is dropped, and so are conversations:
    what belongs together is never split."""
    judgements: Judgements

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that the verdicts are read from."""
        return (self.matches, *((self.semantic,) if self.semantic else ()))

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the verdicts besides the matches, JSON-able."""
        actions = sorted([*key, action] for key, action in self.actions.items())
        return {"actions": actions, "judgements": [list(row) for row in self.judgements.rows]}

    def tables(self, workdir: Path) -> Iterator[tuple[str, pl.DataFrame]]:
        """Each part's name, and its matches with `benchmark`, `item_id`, `split`, `doc_id` and `action`.

        The action is drop, cut or flag; `allowed` where a person judged that the match is none. `judged` and
        `why` are what a model said of a semantic match: what it said no to is no match, and what it said
        nothing of is flagged.
        """
        names = self.items(workdir)
        parts = self.matches.parts
        for part in parts.part_names(workdir):
            yield part, self._with_actions(self._matches(workdir, part), names, workdir, part)

    def table(self, workdir: Path, part: str) -> pl.DataFrame:
        """The same of one part."""
        return self._with_actions(self._matches(workdir, part), self.items(workdir), workdir, part)

    def reasons(self, workdir: Path) -> Iterator[pl.Series]:
        """For each part, the reason for which each document is dropped; null where none is."""
        rows = self.matches.parts.part_rows(workdir)
        for (_, matches), size in zip(self.tables(workdir), rows, strict=True):
            dropped = matches.filter(pl.col("action").is_in([DROP, CUT])).unique("row", keep="first")
            reason = pl.concat_str(pl.lit(f"{REASON}."), "benchmark").alias("reason")
            of_rows = pl.DataFrame({"row": pl.arange(0, size, eager=True, dtype=pl.Int64)})
            joined = of_rows.join(dropped.select("row", reason), on="row", how="left", maintain_order="left")
            yield joined["reason"]

    def _matches(self, workdir: Path, part: str) -> pa.Table:
        """The matches in one part (SEMANTIC_MATCHES), in the order of the documents."""
        found = [self.matches.table(workdir, part)]
        if self.semantic:
            semantic = self.semantic.table(workdir, part)
            found.append(semantic.filter(pc.fill_null(semantic["judged"], True)))
        both = pa.concat_tables([SEMANTIC_MATCHES.empty_table(), *found], promote_options="default")
        return both.take(pc.sort_indices(both["row"]))

    def items(self, workdir: Path) -> pl.DataFrame:
        """The items by the number `item` that matches have: `benchmark`, `item_id`, `split`, `same_as`."""
        names = self.matches.benchmarks.index(workdir).items
        return (
            pl.DataFrame(pl.from_arrow(names))
            .with_row_index("item")
            .with_columns(pl.col("item").cast(pl.Int64))
        )

    def _with_actions(self, matches: pa.Table, names: pl.DataFrame, workdir: Path, part: str) -> pl.DataFrame:
        found = pl.DataFrame(pl.from_arrow(matches)).join(names, on="item", how="left", maintain_order="left")
        actions = pl.DataFrame(
            [(*key, action) for key, action in self.actions.items()],
            schema={"benchmark": pl.String, "kind": pl.String, "action": pl.String},
            orient="row",
        )
        found = found.with_columns(doc_id=self._of_documents("doc_id", found, workdir, part)).join(
            actions, on=["benchmark", "kind"], how="left", maintain_order="left"
        )
        allowed = self.judgements.are_false(found)
        unjudged = (pl.col("mechanism") == MECHANISM) & pl.col("judged").is_null()
        action = pl.when(allowed).then(pl.lit(ALLOWED)).when(unjudged).then(pl.lit(FLAG)).otherwise("action")
        found = found.with_columns(action=action)
        is_cut = found["action"] == CUT
        if not is_cut.any():
            return found
        spoken = self._of_documents("messages", found, workdir, part).is_not_null()
        return found.with_columns(action=pl.when(is_cut & spoken).then(pl.lit(DROP)).otherwise("action"))

    def _of_documents(self, column: str, matches: pl.DataFrame, workdir: Path, part: str) -> pl.Series:
        """A column of the documents that the matches are of."""
        values = pq.read_table(self.matches.parts.path(workdir, part), columns=[column]).column(column)
        return pl.Series(values.take(matches["row"].to_arrow()))

"""Select: rules and duplicates become one verdict per document, from sidecars alone. No text is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from filters.duplicates import survivors
from filters.rules import Rule, all_failed, first_failed
from pipelines.stage import Stage, Task, TaskOutput
from pipelines.stages.annotate import Annotate, sidecars
from pipelines.stages.duplicates import Duplicates
from pipelines.stages.rank import FILE as RANK
from pipelines.stages.rank import Rank

REPEATED_ID = "repeated doc_id"
DUPLICATE = {"exact": "exact duplicate", "minhash": "near duplicate"}


@dataclass(frozen=True)
class Select(Stage):
    """One task. Output: `SOURCE/PART.parquet`, one row a document in the part's order:

    `doc_id`, `keep` bool, `held_out` bool (kept, but for evaluation alone), `reason` string or null, and
    for a
    duplicate `kept_doc_id`, `similarity`, `method`.
    """

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 1
    rank: Rank
    duplicates: Duplicates | None
    threshold: float
    rules: tuple[tuple[Rule, ...], ...]
    held_out_share: float
    seed: int

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """Annotations, ranks and compared pairs."""
        compared = (self.duplicates,) if self.duplicates else ()
        return (*self.rank.annotations, self.rank, *compared)

    @property
    def settings(self) -> dict[str, Any]:
        """The rules of each source, the duplicate threshold and the held-out share."""
        return {
            "rules": {
                annotation.scope: {rule.name: [rule.signal, rule.min, rule.max] for rule in rules}
                for annotation, rules in zip(self.rank.annotations, self.rules, strict=True)
            },
            "duplicate_similarity": self.threshold,
            "held_out_share": self.held_out_share,
            "seed": self.seed,
        }

    def tasks(self, workdir: Path) -> list[Task]:
        """One: a duplicate may be anywhere."""
        return [{}]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents."""
        return {
            "documents": sum(sum(annotation.parts.part_rows(workdir)) for annotation in self.rank.annotations)
        }

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Judge all documents."""
        documents = pl.concat([self._judged_by_rules(i, workdir, output) for i in range(len(self.rules))])
        ranks = pl.DataFrame(pl.from_arrow(pq.read_table(self.rank.folder(workdir) / RANK)))
        documents = documents.with_columns(
            pl.when(ranks["repeated_id"])
            .then(pl.lit(REPEATED_ID))
            .otherwise(pl.col("reason"))
            .alias("reason")
        )
        a, b, similarity = self._edges(workdir)
        outcome = survivors(
            ranks["rank"].to_numpy(),
            ranks["exact_group"].to_numpy(),
            a,
            b,
            similarity,
            documents["reason"].is_null().to_numpy(),
            self.threshold,
        )
        method = pl.Series(outcome.method)
        doc_ids = documents["doc_id"]
        kept_doc = pl.Series(outcome.kept_doc)
        verdicts = documents.with_columns(
            pl.Series("keep", outcome.kept),
            pl.coalesce(
                "reason", method.replace_strict(DUPLICATE, default=None, return_dtype=pl.String)
            ).alias("reason"),
            doc_ids.gather(kept_doc.clip(0)).set(kept_doc < 0, None).alias("kept_doc_id"),
            pl.Series("similarity", outcome.similarity).fill_nan(None),
            method.alias("method"),
        )
        held_out = self._held_out(verdicts, outcome.component)
        self._write(verdicts.with_columns(pl.Series("held_out", held_out)), workdir, output)

    def _judged_by_rules(self, number: int, workdir: Path, output: TaskOutput) -> pl.DataFrame:
        annotation, rules = self.rank.annotations[number], self.rules[number]
        wanted = {"doc_id", "bytes", "content_hash", *(rule.signal for rule in rules)}
        table = sidecars(annotation, workdir, sorted(wanted))
        for rule, failed in all_failed(table, rules).items():
            output.counts.fact(f"fails {rule} in {annotation.scope}", failed)
        return pl.DataFrame(
            {
                "doc_id": pl.Series(table.column("doc_id")).cast(pl.String),
                "bytes": pl.Series(table.column("bytes")).cast(pl.Int64),
                "key": first_words(table.column("content_hash")),
                "domain": pl.Series([annotation.parts.domain], dtype=pl.String).new_from_index(
                    0, table.num_rows
                ),
                "reason": pl.Series(first_failed(table, rules)).cast(pl.String),
            }
        )

    def _edges(self, workdir: Path) -> tuple[npt.NDArray[Any], ...]:
        if self.duplicates is None:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        edges = self.duplicates.edges(workdir)
        return tuple(edges.column(name).to_numpy() for name in ("a", "b", "similarity"))

    def _held_out(self, verdicts: pl.DataFrame, component: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whole clusters whose hash falls under the share, and at least one cluster of each domain."""
        if self.held_out_share == 0:
            return np.zeros(len(verdicts), bool)
        keys = verdicts["key"].to_numpy()[component]
        draw = mixed(keys ^ np.uint64(self.seed)) / 2.0**64
        kept = verdicts.select("domain", "keep", pl.Series("draw", draw), pl.Series("component", component))
        lowest = kept.filter("keep").group_by("domain").agg(pl.col("component").sort_by("draw").first())
        chosen = (draw < self.held_out_share) | np.isin(component, lowest["component"].to_numpy())
        held: npt.NDArray[np.bool_] = chosen & verdicts["keep"].to_numpy()
        return held

    def _write(self, verdicts: pl.DataFrame, workdir: Path, output: TaskOutput) -> None:
        start = 0
        columns = ["doc_id", "keep", "held_out", "reason", "kept_doc_id", "similarity", "method"]
        for annotation in self.rank.annotations:
            parts = annotation.parts
            for name, rows in zip(parts.part_names(workdir), parts.part_rows(workdir), strict=True):
                part = verdicts.slice(start, rows)
                output.write_table(f"{parts.scope}/{name}", part.select(columns).to_arrow())
                start += rows
        kept = verdicts.filter("keep")
        reasons = verdicts.filter(~pl.col("keep")).group_by("reason").agg(pl.len(), pl.sum("bytes")).rows()
        output.counts.flow(
            "documents",
            entered=start,
            left=len(kept),
            dropped=Counter({reason: n for reason, n, _ in reasons}),
        )
        output.counts.flow(
            "bytes",
            entered=int(verdicts["bytes"].sum()),
            left=int(kept["bytes"].sum()),
            dropped=Counter({reason: size for reason, _, size in reasons}),
        )
        output.counts.fact("held_out_documents", int(verdicts["held_out"].sum()))

    def verdicts(self, workdir: Path, scope: str) -> Iterator[tuple[str, pa.Table]]:
        """Part names of a source and the verdicts on their documents."""
        folder = self.folder(workdir)
        for name in self.manifest(workdir).part_names(".parquet"):
            source, _, part = name.partition("/")
            if source == scope:
                yield part, pq.read_table(folder / name)

    def verdict(self, workdir: Path, scope: str, part: str, columns: list[str]) -> pa.Table:
        """The verdicts on the documents of one part."""
        return pq.read_table(self.folder(workdir) / scope / part, columns=columns)

    def annotation(self, scope: str) -> Annotate:
        """The annotation of a source."""
        return next(a for a in self.rank.annotations if a.scope == scope)


def first_words(hashes: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """The first eight bytes of each 16-byte hash."""
    chunks = [
        np.frombuffer(c.buffers()[1], np.uint64)[2 * c.offset :][: 2 * len(c)]
        for c in hashes.chunks
        if len(c)
    ]
    words = np.concatenate([np.empty(0, np.uint64), *chunks]).reshape(-1, 2)
    return np.ascontiguousarray(words[:, 0])


def mixed(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al., 2014): spreads keys evenly over 64 bits."""
    with np.errstate(over="ignore"):
        keys = keys + np.uint64(0x9E3779B97F4A7C15)
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return keys ^ (keys >> np.uint64(31))

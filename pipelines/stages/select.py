"""Select: rules and duplicates become one verdict per document, from sidecars alone. No text is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.dedup.survivors import survivors
from filters.language.identify import LanguageRule
from filters.quality.rules import Rule, all_failed, first_failed
from pipelines.execution.output import Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage, distinct
from pipelines.stages.annotate import SAID, Annotate, sidecar_parts, sidecar_values
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.classify.percentile_verdicts import DOMAIN, Judge
from pipelines.stages.datatrove_filter import DatatroveVerdicts
from pipelines.stages.dedup.preference import FILE as RANK
from pipelines.stages.dedup.preference import Rank
from pipelines.stages.dedup.verify_pairs import Duplicates
from pipelines.stages.hash_sampling import Keys, first_words, held_out_draw

REPEATED_ID = "repeated doc_id"
REFERENCE = "reference"
LANGUAGE, LANGUAGE_SCORE = "language", "language_score"
CLUSTER_SIZE = "cluster_size"
NAME = pl.Categorical()
"""Few different strings: all documents are in memory at once, and so each takes four bytes."""
JUDGED = pl.DataFrame(
    schema={"bytes": pl.Int64, "key": pl.UInt64, DOMAIN: NAME, LANGUAGE: NAME, "reason": NAME}
)
"""No documents, as rules judge them."""
DUPLICATE = {"exact": "exact duplicate", "minhash": "near duplicate"}


@dataclass(frozen=True)
class Select(Stage):
    """One task. Output: `SOURCE/PART.parquet`, one row a document in the part's order:

    `doc_id`, `keep` bool, `held_out` bool (kept, but for evaluation alone), `reason` string or null, for
    a duplicate `kept_doc_id`, `similarity`, `method`; `cluster_size` int64 (documents connected by verified
    similarity, itself included), `domain`, `language` (as the source says, else as identified, `und` where
    that is not clear), and for each classifier a column of its name
    (bucket or label) and `NAME.percentile`.
    """

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 2
    rank: Rank
    duplicates: Duplicates | None
    threshold: float
    rules: tuple[tuple[Rule, ...], ...]
    languages: tuple[LanguageRule, ...]
    held_out_share: float
    seed: int
    judges: tuple[Judge, ...] = ()
    datatrove: tuple[DatatroveVerdicts, ...] = ()

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """Annotations, ranks, compared pairs, scores and what datatrove's filters say."""
        compared = (self.duplicates,) if self.duplicates else ()
        scores = (score for judge in self.judges for score in judge.stages)
        return (
            *self.rank.annotations,
            self.rank,
            *compared,
            *self.classifiers,
            *distinct(scores),
            *self.datatrove,
        )

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The classifiers that gave the scores."""
        return distinct(score.classifier for judge in self.judges for score in judge.stages)

    @property
    def described(self) -> tuple[str, ...]:
        """The columns of a verdict that go with a document, and that groups may ask about."""
        return (
            "held_out",
            CLUSTER_SIZE,
            DOMAIN,
            LANGUAGE,
            *(judge.name for judge in self.judges if judge.name != DOMAIN),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The rules of each source, the duplicate threshold and the held-out share."""
        return {
            "rules": {
                annotation.scope: {rule.name: [rule.signal, rule.min, rule.max] for rule in rules}
                for annotation, rules in zip(self.rank.annotations, self.rules, strict=True)
            },
            "languages": {
                annotation.scope: [rule.min_score, rule.keep]
                for annotation, rule in zip(self.rank.annotations, self.languages, strict=True)
            },
            "duplicate_similarity": self.threshold,
            "held_out_share": self.held_out_share,
            "seed": self.seed,
            "classifiers": {judge.name: judge.settings for judge in self.judges},
        }

    def tasks(self, workdir: Path) -> list[Task]:
        """One: a duplicate may be anywhere."""
        return [{}]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All documents."""
        return self.rank.expected_entries(workdir)

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Judge all documents."""
        documents = pl.concat([self._judged_by_rules(i, workdir, output) for i in range(len(self.rules))])
        ranks = pl.DataFrame(pl.from_arrow(read_arrow(self.rank.folder(workdir) / RANK)))
        documents = documents.with_columns(
            pl.when(ranks["repeated_id"])
            .then(pl.lit(REPEATED_ID, NAME))
            .otherwise(pl.col("reason"))
            .alias("reason")
        )
        documents = self._judged_by_classifiers(documents, workdir, output)
        # Whatever a reference is like, it is there to be compared with.
        documents = documents.with_columns(reason=pl.when(~ranks["reference"]).then("reason"))
        a, b, similarity = self._edges(workdir)
        outcome = survivors(
            ranks["rank"].to_numpy(),
            ranks["exact_group"].to_numpy(),
            a,
            b,
            similarity,
            documents["reason"].is_null().to_numpy(),
            self.threshold,
            ranks["reference"].to_numpy(),
        )
        method = pl.Series(outcome.method)
        verdicts = documents.with_columns(
            pl.Series("keep", outcome.kept) & ~ranks["reference"],
            pl.coalesce(
                "reason",
                pl.when(ranks["reference"]).then(pl.lit(REFERENCE, NAME)),
                *(pl.when(method == name).then(pl.lit(reason, NAME)) for name, reason in DUPLICATE.items()),
            ).alias("reason"),
            pl.Series("kept_doc", outcome.kept_doc),
            pl.Series("similarity", outcome.similarity).fill_nan(None),
            method.alias("method"),
            pl.Series(CLUSTER_SIZE, outcome.cluster_size),
        )
        held_out = self._held_out(verdicts, outcome.component, self._learned(workdir))
        verdicts = verdicts.with_columns(pl.Series("held_out", held_out))
        self._write(verdicts, workdir, output)
        self._count(verdicts, output)

    def _judged_by_rules(self, number: int, workdir: Path, output: TaskOutput) -> pl.DataFrame:
        annotation = self.rank.annotations[number]
        wanted = {"bytes", "content_hash", LANGUAGE, LANGUAGE_SCORE, SAID}
        wanted |= {rule.signal for rule in self.rules[number]}
        tables = sidecar_parts(annotation, workdir, sorted(wanted))
        documents = pl.concat([JUDGED, *(self._judged_part(number, table, output) for table in tables)])
        reason = documents["reason"]
        for verdicts in self.datatrove:
            if verdicts.parts == annotation.parts:
                found = pl.Series(verdicts.reasons(workdir)).cast(NAME)
                failed = found.len() - found.null_count()
                output.counts.fact(f"fails {verdicts.verdict} in {annotation.scope}", failed)
                reason = reason.zip_with(reason.is_not_null(), found)
        return documents.with_columns(reason)

    def _judged_part(self, number: int, table: pa.Table, output: TaskOutput) -> pl.DataFrame:
        """What rules and languages say of the documents of one sidecar."""
        annotation, rules = self.rank.annotations[number], self.rules[number]
        languages = self.languages[number]
        for rule, failed in all_failed(table, rules).items():
            output.counts.fact(f"fails {rule} in {annotation.scope}", failed)
        reason = pl.Series(languages.failed(table)).cast(pl.String)
        for objection, failed in reason.drop_nulls().value_counts().rows():
            output.counts.fact(f"fails {objection} in {annotation.scope}", failed)
        reason = reason.zip_with(reason.is_not_null(), pl.Series(first_failed(table, rules)).cast(pl.String))
        domain = pl.Series([annotation.parts.domain], dtype=NAME)
        return pl.DataFrame(
            {
                "bytes": pl.Series(table.column("bytes")).cast(pl.Int64),
                "key": first_words(table.column("content_hash")),
                DOMAIN: domain.new_from_index(0, table.num_rows),
                LANGUAGE: pl.Series(pc.coalesce(table.column(SAID), languages.believed(table))).cast(NAME),
                "reason": reason.cast(NAME),
            }
        )

    def _judged_by_classifiers(
        self, documents: pl.DataFrame, workdir: Path, output: TaskOutput
    ) -> pl.DataFrame:
        """The documents with what classifiers say, their domain, and the reason where a cut drops them."""
        keys = documents["key"].to_numpy()
        for judge in self.judges:
            found = judge.verdicts(workdir, self.rank.annotations, keys)
            dropped = f"classifier.{judge.name}"
            output.counts.fact(f"fails {dropped}", int(found["dropped"].sum()))
            documents = documents.with_columns(
                pl.coalesce("reason", pl.when(found["dropped"]).then(pl.lit(dropped, NAME))).alias("reason"),
                pl.coalesce(found["domain"].cast(NAME), DOMAIN).alias(DOMAIN),
                *(found["percentile"].alias(f"{judge.name}.percentile"),),
                *((found["value"].alias(judge.name),) if judge.name != DOMAIN else ()),
            )
        return documents

    def _edges(self, workdir: Path) -> tuple[npt.NDArray[Any], ...]:
        if self.duplicates is None:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        edges = self.duplicates.edges(workdir)
        return tuple(edges.column(name).to_numpy() for name in ("a", "b", "similarity"))

    def _held_out(
        self, verdicts: pl.DataFrame, component: npt.NDArray[np.int64], learned: Keys
    ) -> npt.NDArray[np.bool_]:
        """Whole clusters whose hash falls under the share, and at least one cluster of each domain.

        None of them has a text that a classifier has learned from, by the first words of its hash.
        """
        if self.held_out_share == 0:
            return np.zeros(len(verdicts), bool)
        keys = verdicts["key"].to_numpy()
        known = np.unique(component[np.isin(keys, learned)])
        free = verdicts["keep"].to_numpy() & ~np.isin(component, known)
        draw = held_out_draw(keys[component], self.seed)
        columns = pl.Series("draw", draw), pl.Series("component", component), pl.Series("free", free)
        candidates = verdicts.select(DOMAIN, *columns).filter("free")
        lowest = candidates.group_by(DOMAIN).agg(pl.col("component").sort_by("draw").first())
        chosen = (draw < self.held_out_share) | np.isin(component, lowest["component"].to_numpy())
        held: npt.NDArray[np.bool_] = chosen & free
        return held

    def _learned(self, workdir: Path) -> Keys:
        """First words of the hashes of all texts that any classifier has learned from."""
        learned = [first_words(classifier.learned(workdir)) for classifier in self.classifiers]
        return np.concatenate([np.empty(0, np.uint64), *learned])

    def _write(self, verdicts: pl.DataFrame, workdir: Path, output: TaskOutput) -> None:
        columns = ["doc_id", "keep", "reason", "kept_doc_id", "similarity", "method", *self.described]
        columns += [f"{judge.name}.percentile" for judge in self.judges]
        kept_doc = verdicts["kept_doc"].to_numpy()
        preferred = np.unique(kept_doc[kept_doc >= 0])
        preferred_ids = sidecar_values(self.rank.annotations, workdir, "doc_id", preferred)
        for name, first, ids in self._ids(workdir):
            part = verdicts.slice(first, len(ids))
            place = np.searchsorted(preferred, part["kept_doc"].to_numpy())
            place = pa.array(place, mask=(part["kept_doc"] < 0).to_numpy())
            part = part.with_columns(doc_id=pl.Series(ids), kept_doc_id=pl.Series(preferred_ids.take(place)))
            part = part.select(columns).with_columns(pl.col(NAME).cast(pl.String))
            output.write_table(name, part.to_arrow())

    def _ids(self, workdir: Path) -> Iterator[tuple[str, int, pa.ChunkedArray]]:
        """The doc_ids of each part: the name of its verdicts, the number of its first document, the ids."""
        first = 0
        for annotation in self.rank.annotations:
            names = annotation.parts.part_names(workdir)
            for name, table in zip(names, sidecar_parts(annotation, workdir, ["doc_id"]), strict=True):
                yield f"{annotation.scope}/{name}", first, table.column("doc_id")
                first += table.num_rows

    def _count(self, verdicts: pl.DataFrame, output: TaskOutput) -> None:
        groups = verdicts.group_by("keep", "reason").agg(pl.len(), pl.sum("bytes")).rows(named=True)
        for unit, column in (("documents", "len"), ("bytes", "bytes")):
            output.counts.flow(
                unit,
                entered=sum(group[column] for group in groups),
                left=sum(group[column] for group in groups if group["keep"]),
                dropped={group["reason"]: group[column] for group in groups if not group["keep"]},
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

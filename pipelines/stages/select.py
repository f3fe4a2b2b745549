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
from typing_extensions import override

from filters.dedup import survivors
from filters.language.identify import LanguageRule
from filters.quality.rules import Rule, all_failed, first_failed
from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import ReducingStage, Stage, distinct
from pipelines.stages import hash_sampling
from pipelines.stages.annotate import Annotations
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.classify.percentile_verdicts import DOMAIN, Verdicts
from pipelines.stages.contamination.verdicts import ContaminationVerdicts
from pipelines.stages.datatrove_filter import DatatroveVerdicts
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.verify_pairs import EDGES, VerifyPairs
from pipelines.stages.hash_sampling import Keys, first_words, held_out_draw
from pipelines.stages.sidecar import values_of_documents

BYTES_A_TOKEN = 4
"""About so many bytes of text make a token."""
MOST_FOR_LEAST = 0.05
"""Of a small domain so much is held out at most, where the share itself is not more."""
REPEATED_ID = "repeated doc_id"
REFERENCE = "reference"
LANGUAGE, LANGUAGE_SCORE, SOURCE_LANGUAGE = "language", "language_score", "source_language"
CLUSTER_SIZE = "cluster_size"
DESCRIBED = ("held_out", CLUSTER_SIZE, DOMAIN, LANGUAGE)
"""What a verdict says of a document, besides classifiers."""
NAME = pl.Categorical()
"""Few different strings: all documents are in memory at once, and so each takes four bytes."""
JUDGED = pl.DataFrame(
    schema={"bytes": pl.Int64, "key": pl.UInt64, DOMAIN: NAME, LANGUAGE: NAME, "reason": NAME}
)
"""No documents, as rules judge them."""
DUPLICATE = {"exact": "exact duplicate", "minhash": "near duplicate"}


ANY_LANGUAGE = LanguageRule()


@dataclass(frozen=True, kw_only=True)
class JudgedSource:
    """The documents of a source, and what is asked of them."""

    annotations: Annotations
    rules: tuple[Rule, ...] = ()
    language: LanguageRule = ANY_LANGUAGE
    datatrove: tuple[DatatroveVerdicts, ...] = ()
    contamination: ContaminationVerdicts | None = None

    @property
    def scope(self) -> str:
        """The name of the source."""
        return self.annotations.scope


@dataclass(frozen=True, kw_only=True)
class Select(ReducingStage):
    """Output: `SOURCE/PART.parquet`, one row a document in the part's order:

    `doc_id`, `keep` bool, `held_out` bool (kept, but for evaluation alone), `reason` string or null, for
    a duplicate `kept_doc_id`, `similarity`, `method`; `cluster_size` int64 (documents connected by verified
    similarity, itself included), `domain`, `language` (as the source says, else as identified, `und` where
    that is not clear), and for each classifier a column of its name (bucket or label) and `NAME.percentile`.
    """

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 4
    sources: tuple[JudgedSource, ...]
    preference: Preference
    pairs: VerifyPairs | None
    threshold: float
    held_out_share: float
    held_out_least: int
    """Tokens that at least are held out of a domain, as far as `MOST_FOR_LEAST` allows."""
    longest_held_out: int
    """Tokens of a document that count for that: more are not evaluated."""
    seed: int
    classifiers: tuple[Verdicts, ...] = ()

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        scores = (score for verdicts in self.classifiers for score in verdicts.stages)
        return (
            *(sidecar for source in self.sources for sidecar in source.annotations.sidecars),
            self.preference,
            *((self.pairs,) if self.pairs else ()),
            *self.trained,
            *distinct(scores),
            *(verdicts for source in self.sources for verdicts in source.datatrove),
            *(stage for verdicts in self.contamination for stage in verdicts.stages),
        )

    @property
    def contamination(self) -> tuple[ContaminationVerdicts, ...]:
        """The verdicts on matches with benchmarks, of the sources that are compared."""
        return tuple(source.contamination for source in self.sources if source.contamination)

    @property
    def trained(self) -> tuple[Classifier, ...]:
        """The classifiers that gave the scores."""
        return distinct(score.classifier for verdicts in self.classifiers for score in verdicts.stages)

    @property
    def described(self) -> tuple[str, ...]:
        """The columns of a verdict that go with a document, and that groups may ask about."""
        named = (verdicts.name for verdicts in self.classifiers if verdicts.name != DOMAIN)
        return (*DESCRIBED, *named)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "rules": {
                source.scope: {rule.name: [rule.signal, rule.min, rule.max] for rule in source.rules}
                for source in self.sources
            },
            "languages": {
                source.scope: [source.language.min_score, source.language.keep] for source in self.sources
            },
            "duplicate_similarity": self.threshold,
            "survivors": survivors.VERSION,
            "sampling": hash_sampling.VERSION,
            "held_out": [self.held_out_share, self.held_out_least, self.longest_held_out],
            "seed": self.seed,
            "classifiers": {verdicts.name: verdicts.settings for verdicts in self.classifiers},
            **({"contamination": self.contamination[0].settings} if self.contamination else {}),
        }

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return self.preference.expected_entries(workdir)

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        verdicts = pl.concat([self._judged_by_rules(source, workdir, output) for source in self.sources])
        documents = pl.DataFrame(pl.from_arrow(self.preference.documents(workdir)))
        repeated = pl.when(documents["repeated_id"]).then(pl.lit(REPEATED_ID, NAME))
        verdicts = verdicts.with_columns(reason=repeated.otherwise(pl.col("reason")))
        verdicts = self._judged_by_classifiers(verdicts, workdir, output)
        # Whatever a reference is like, it is there to be compared with.
        verdicts = verdicts.with_columns(reason=pl.when(~documents["reference"]).then("reason"))
        outcome = self._survivors(verdicts, documents, workdir)
        method = pl.Series(outcome.method)
        verdicts = verdicts.with_columns(
            pl.Series("keep", outcome.kept) & ~documents["reference"],
            pl.coalesce(
                "reason",
                pl.when(documents["reference"]).then(pl.lit(REFERENCE, NAME)),
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

    def _judged_by_rules(self, source: JudgedSource, workdir: Path, output: TaskOutput) -> pl.DataFrame:
        columns = {"bytes", "content_hash", LANGUAGE, LANGUAGE_SCORE, SOURCE_LANGUAGE}
        columns |= {rule.signal for rule in source.rules}
        tables = source.annotations.tables(workdir, columns)
        documents = pl.concat([JUDGED, *(self._judged_part(source, table, output) for table in tables)])
        reason = documents["reason"]
        if source.contamination:
            contaminated = source.contamination.reasons(workdir).cast(NAME)
            for verdict, number in contaminated.drop_nulls().value_counts().rows():
                output.counts.add("failed_rule", number, scope=source.scope, reason=verdict)
            reason = contaminated.zip_with(contaminated.is_not_null(), reason)
        for verdicts in source.datatrove:
            objections = pl.Series(verdicts.reasons(workdir)).cast(NAME)
            failed = objections.len() - objections.null_count()
            output.counts.add("failed_rule", failed, scope=source.scope, reason=verdicts.verdict)
            reason = reason.zip_with(reason.is_not_null(), objections)
        return documents.with_columns(reason)

    def _judged_part(self, source: JudgedSource, table: pa.Table, output: TaskOutput) -> pl.DataFrame:
        """What rules and languages say of the documents of one part."""
        for rule, failed in all_failed(table, source.rules).items():
            output.counts.add("failed_rule", failed, scope=source.scope, reason=rule)
        reason = pl.Series(source.language.failed(table)).cast(pl.String)
        for objection, failed in reason.drop_nulls().value_counts().rows():
            output.counts.add("failed_rule", failed, scope=source.scope, reason=objection)
        by_rules = pl.Series(first_failed(table, source.rules)).cast(pl.String)
        reason = reason.zip_with(reason.is_not_null(), by_rules)
        language = pc.coalesce(table.column(SOURCE_LANGUAGE), source.language.believed(table))
        domain = pl.Series([source.annotations.parts.domain], dtype=NAME)
        return pl.DataFrame(
            {
                "bytes": pl.Series(table.column("bytes")).cast(pl.Int64),
                "key": first_words(table.column("content_hash")),
                DOMAIN: domain.new_from_index(0, table.num_rows),
                LANGUAGE: pl.Series(language).cast(NAME),
                "reason": reason.cast(NAME),
            }
        )

    def _judged_by_classifiers(
        self, documents: pl.DataFrame, workdir: Path, output: TaskOutput
    ) -> pl.DataFrame:
        """The documents with what classifiers say, their domain, and the reason where a cut drops them."""
        keys = documents["key"].to_numpy()
        for classifier in self.classifiers:
            verdicts = classifier.verdicts(workdir, self.preference.parts, keys)
            reason = f"classifier.{classifier.name}"
            output.counts.add("failed_classifier", int(verdicts["dropped"].sum()), reason=classifier.name)
            dropped = pl.when(verdicts["dropped"]).then(pl.lit(reason, NAME))
            documents = documents.with_columns(
                pl.coalesce("reason", dropped).alias("reason"),
                pl.coalesce(verdicts["domain"].cast(NAME), DOMAIN).alias(DOMAIN),
                verdicts["percentile"].alias(f"{classifier.name}.percentile"),
                *((verdicts["value"].alias(classifier.name),) if classifier.name != DOMAIN else ()),
            )
        return documents

    def _survivors(
        self, verdicts: pl.DataFrame, documents: pl.DataFrame, workdir: Path
    ) -> survivors.Survivors:
        """Which documents stay of those that nothing speaks against."""
        edges = self.pairs.edges(workdir) if self.pairs else EDGES.empty_table()
        a, b, similarity = (edges.column(name).to_numpy() for name in EDGES.names)
        return survivors.survivors(
            documents["place"].to_numpy(),
            documents["exact_group"].to_numpy(),
            a,
            b,
            similarity,
            verdicts["reason"].is_null().to_numpy(),
            self.threshold,
            documents["reference"].to_numpy(),
        )

    def _held_out(
        self, verdicts: pl.DataFrame, component: npt.NDArray[np.int64], learned: Keys
    ) -> npt.NDArray[np.bool_]:
        """Whole clusters: of each domain those whose hash falls under the share, and the next to have enough.

        Nothing is tokenized yet, so what is enough counts in bytes. There is at least one cluster. None
        of them has a text that a classifier has learned from, by the first words of its hash.
        """
        if self.held_out_share == 0:
            return np.zeros(len(verdicts), bool)
        keys = verdicts["key"].to_numpy()
        known = np.unique(component[np.isin(keys, learned)])
        free = verdicts["keep"].to_numpy() & ~np.isin(component, known)
        draw = held_out_draw(keys[component], self.seed)
        columns = pl.Series("draw", draw), pl.Series("component", component), pl.Series("free", free)
        candidates = verdicts.select(DOMAIN, "bytes", *columns).filter("free")
        evaluated = pl.col("bytes").clip(upper_bound=BYTES_A_TOKEN * self.longest_held_out)
        clusters = candidates.group_by(DOMAIN, "component").agg(
            pl.first("draw"), pl.sum("bytes"), evaluated.sum().alias("evaluated")
        )
        clusters = clusters.sort(DOMAIN, "draw", "component").with_columns(
            before=pl.col("evaluated").cum_sum().over(DOMAIN) - pl.col("evaluated"),
            taken=pl.col("bytes").cum_sum().over(DOMAIN),
            whole=pl.col("bytes").sum().over(DOMAIN),
        )
        needed = clusters.filter(
            (pl.col("before") == 0)
            | (
                (pl.col("before") < BYTES_A_TOKEN * self.held_out_least)
                & (pl.col("taken") <= MOST_FOR_LEAST * pl.col("whole"))
            )
        )
        chosen = (draw < self.held_out_share) | np.isin(component, needed["component"].to_numpy())
        held: npt.NDArray[np.bool_] = chosen & free
        return held

    def _learned(self, workdir: Path) -> Keys:
        """First words of the hashes of all texts that any classifier has learned from."""
        learned = [first_words(classifier.learned(workdir)) for classifier in self.trained]
        return np.concatenate([np.empty(0, np.uint64), *learned])

    def _write(self, verdicts: pl.DataFrame, workdir: Path, output: TaskOutput) -> None:
        columns = ["doc_id", "keep", "reason", "kept_doc_id", "similarity", "method", *self.described]
        columns += [f"{verdicts.name}.percentile" for verdicts in self.classifiers]
        kept_doc = verdicts["kept_doc"].to_numpy()
        preferred = np.unique(kept_doc[kept_doc >= 0])
        preferred_ids = values_of_documents(self.preference.hashes, workdir, "doc_id", preferred)
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
        for hashes in self.preference.hashes:
            names = hashes.parts.part_names(workdir)
            for name, table in zip(names, hashes.tables(workdir, ["doc_id"]), strict=True):
                yield f"{hashes.parts.scope}/{name}", first, table.column("doc_id")
                first += table.num_rows

    def _count(self, verdicts: pl.DataFrame, output: TaskOutput) -> None:
        groups = verdicts.group_by("keep", "reason").agg(pl.len(), pl.sum("bytes")).rows(named=True)
        for unit, column in (("documents", "len"), ("bytes", "bytes")):
            output.counts.flow(
                unit,
                entered=sum(group[column] for group in groups),
                left=sum(group[column] for group in groups if group["keep"]),
                dropped={
                    Count("verdict", reason=group["reason"]): group[column]
                    for group in groups
                    if not group["keep"]
                },
            )
        output.counts.add("held_out_documents", int(verdicts["held_out"].sum()))

    def verdicts(self, workdir: Path, scope: str) -> Iterator[tuple[str, pa.Table]]:
        """Part names of a source and the verdicts on their documents."""
        for name in self.manifest(workdir).part_names(".parquet"):
            source, _, part = name.partition("/")
            if source == scope:
                yield part, pq.read_table(self.path(workdir, name))

    def verdict(self, workdir: Path, scope: str, part: str, columns: list[str]) -> pa.Table:
        """The verdicts on the documents of one part."""
        return pq.read_table(self.path(workdir, f"{scope}/{part}"), columns=columns)

    def source(self, scope: str) -> JudgedSource:
        """The source of that name."""
        return next(source for source in self.sources if source.scope == scope)

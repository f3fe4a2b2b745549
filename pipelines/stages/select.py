"""Select: rules and duplicates become one verdict per document, from sidecars alone. No text is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from pipelines.execution.scratch import scratch_folder
from pipelines.execution.spill import RowValues, TableFile, recut
from pipelines.execution.stage import Stage, distinct
from pipelines.recipe.licences import Licences
from pipelines.sources.licences import classes as licence_classes
from pipelines.stages import hash_sampling
from pipelines.stages.annotate import Annotations
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.classify.percentile_verdicts import DOMAIN, Verdicts
from pipelines.stages.contamination.verdicts import ContaminationVerdicts
from pipelines.stages.datatrove_filter import DatatroveVerdicts
from pipelines.stages.dedup.clusters import METHODS, connected_survivors, kept_ids
from pipelines.stages.dedup.preference import Preference, Selection
from pipelines.stages.dedup.verify_pairs import VerifyPairs
from pipelines.stages.hash_sampling import Keys, first_words, held_out_draw
from pipelines.stages.held_out_choice import CLUSTERS, HeldOutChoice
from pipelines.stages.licences import licence_reasons
from pipelines.stages.parts import PartStage

BYTES_A_TOKEN = 4
"""About so many bytes of text make a token."""
REPEATED_ID = "repeated doc_id"
REFERENCE = "reference"
DISCARDED = "not kept by an earlier increment"
LANGUAGE, LANGUAGE_SCORE, SOURCE_LANGUAGE = "language", "language_score", "source_language"
LICENSE = "license"
CLUSTER_SIZE = "cluster_size"
DESCRIBED = ("held_out", CLUSTER_SIZE, DOMAIN, LANGUAGE)
"""What a verdict says of a document, besides classifiers."""
NAME = pl.Categorical()
"""Few different strings: each takes four bytes."""
DUPLICATE = {"exact": "exact duplicate", "minhash": "near duplicate"}
GROUP = pl.DataFrame(
    schema={"keep": pl.Boolean, "reason": pl.String, "documents": pl.Int64, "bytes": pl.Int64}
)
IsHeldOut = Callable[[pl.DataFrame], npt.NDArray[np.bool_]]

ANY_LANGUAGE = LanguageRule()


@dataclass(frozen=True, kw_only=True)
class JudgedSource:
    """The documents of a source, and what is asked of them."""

    annotations: Annotations
    rules: tuple[Rule, ...] = ()
    language: LanguageRule = ANY_LANGUAGE
    datatrove: tuple[DatatroveVerdicts, ...] = ()
    contamination: ContaminationVerdicts | None = None
    licences: Licences | None = None

    @property
    def scope(self) -> str:
        """The name of the source."""
        return self.annotations.scope


@dataclass(frozen=True, kw_only=True)
class Select(Selection):
    """Output: `SOURCE/PART.parquet`, one row a document in the part's order:

    `doc_id`, `keep` bool, `held_out` bool (kept, but for evaluation alone), `reason` string or null, for
    a duplicate `kept_doc_id`, `similarity`, `method`; `cluster_size` int64 (documents connected by verified
    similarity, itself included), `domain`, `language` (as the source says, else as identified, `und` where
    that is not clear), and for each classifier a column of its name (bucket or label) and `NAME.percentile`.
    Of what stands by an earlier increment nothing is said anew.
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
        licences = {
            source.scope: [source.licences.decisive, licence_classes.VERSION]
            for source in self.sources
            if source.licences
        }
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
            **({"licences": licences} if licences else {}),
        }

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return self.preference.expected_entries(workdir)

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        documents = sum(self._part_rows(workdir))
        with scratch_folder(output.folder) as scratch:
            judged = self._judged(workdir, output, scratch)
            found = connected_survivors(
                scratch,
                self._contenders(judged, workdir),
                lambda: self.pairs.edges(workdir) if self.pairs else iter(()),
                documents,
                self.threshold,
            )
            is_held_out = self._held_out(judged, found, workdir)
            ids = (table for hashes in self.preference.hashes for table in hashes.tables(workdir, ["doc_id"]))
            kept = recut(kept_ids(scratch, found, ids, documents).strings("doc_id"), self._part_rows(workdir))
            groups = [GROUP]
            standing = {each.source for each in self.preference.standing}
            for frame, kept_doc_ids, (name, own_ids) in zip(
                self._verdicts(judged, found, workdir), kept, self._ids(workdir), strict=True
            ):
                verdicts = frame.with_columns(
                    doc_id=pl.Series(own_ids),
                    kept_doc_id=pl.Series(kept_doc_ids.column("doc_id")),
                    held_out=pl.Series(is_held_out(frame)),
                )
                if name.partition("/")[0] not in standing:
                    self._write(name, verdicts, output)
                groups.append(_grouped(verdicts))
                output.counts.add("held_out_documents", int(verdicts["held_out"].sum()))
        self._count(pl.concat(groups), output)

    def _part_rows(self, workdir: Path) -> list[int]:
        """The number of documents of each part of all sources."""
        return [rows for parts in self.preference.parts for rows in parts.part_rows(workdir)]

    def _judged(self, workdir: Path, output: TaskOutput, scratch: Path) -> TableFile:
        """What rules and classifiers say of all documents: and of which domain and language they are."""
        sizes = self._part_rows(workdir)
        by_rules = TableFile(scratch, "by-rules")
        frames = (
            frame for source in self.sources for frame in self._judged_by_rules(source, workdir, output)
        )
        for frame, documents in zip(frames, recut(self.preference.documents(workdir), sizes), strict=True):
            repeated = pl.when(pl.Series(documents.column("repeated_id"))).then(pl.lit(REPEATED_ID, NAME))
            discarded = pl.when(pl.Series(documents.column("discarded"))).then(pl.lit(DISCARDED, NAME))
            reason = pl.coalesce(discarded, repeated, "reason")
            by_rules.add(frame.with_columns(reason=reason).to_arrow())
        if not self.classifiers:
            return by_rules

        def keys() -> Iterator[Keys]:
            return (table.column("key").to_numpy() for table in recut(by_rules.tables(), sizes))

        judged = TableFile(scratch, "judged")
        said = [c.verdicts(workdir, self.preference.parts, keys, scratch) for c in self.classifiers]
        for table, *of_part in zip(recut(by_rules.tables(), sizes), *said, strict=True):
            judged.add(self._judged_by_classifiers(_named(table), of_part, output).to_arrow())
        return judged

    def _judged_by_rules(
        self, source: JudgedSource, workdir: Path, output: TaskOutput
    ) -> Iterator[pl.DataFrame]:
        """What is said of the documents of each part of a source ."""
        columns = {"bytes", "content_hash", LANGUAGE, LANGUAGE_SCORE, SOURCE_LANGUAGE}
        columns |= {rule.signal for rule in source.rules} | ({LICENSE} if source.licences else set())
        contaminated = source.contamination.reasons(workdir) if source.contamination else None
        for part in source.annotations.parts.part_names(workdir):
            documents = self._judged_part(source, source.annotations.table(workdir, part, columns), output)
            reason = documents["reason"]
            if contaminated is not None:
                found = next(contaminated).cast(NAME)
                for verdict, number in found.drop_nulls().value_counts().rows():
                    output.counts.add("failed_rule", number, scope=source.scope, reason=verdict)
                reason = found.zip_with(found.is_not_null(), reason)
            for verdicts in source.datatrove:
                objections = pl.Series(verdicts.reasons(workdir, part)).cast(NAME)
                failed = objections.len() - objections.null_count()
                output.counts.add("failed_rule", failed, scope=source.scope, reason=verdicts.verdict)
                reason = reason.zip_with(reason.is_not_null(), objections)
            yield documents.with_columns(reason.alias("reason"))

    def _judged_part(self, source: JudgedSource, table: pa.Table, output: TaskOutput) -> pl.DataFrame:
        """What rules and languages say of the documents of one part."""
        for rule, failed in all_failed(table, source.rules).items():
            output.counts.add("failed_rule", failed, scope=source.scope, reason=rule)
        reason = pl.Series(source.language.failed(table)).cast(pl.String)
        for objection, failed in reason.drop_nulls().value_counts().rows():
            output.counts.add("failed_rule", failed, scope=source.scope, reason=objection)
        by_rules = pl.Series(first_failed(table, source.rules)).cast(pl.String)
        reason = reason.zip_with(reason.is_not_null(), by_rules)
        if source.licences:
            unlicensed = licence_reasons(source.licences, table.column(LICENSE))
            for objection, failed in unlicensed.drop_nulls().value_counts().rows():
                output.counts.add("failed_rule", failed, scope=source.scope, reason=objection)
            reason = unlicensed.zip_with(unlicensed.is_not_null(), reason)
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
        self, documents: pl.DataFrame, said: list[pl.DataFrame], output: TaskOutput
    ) -> pl.DataFrame:
        """A part with what each classifier says of it, its domain, and the reason where a cut drops it."""
        for classifier, verdicts in zip(self.classifiers, said, strict=True):
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

    def _contenders(self, judged: TableFile, workdir: Path) -> Iterator[pa.Table]:
        """What decides who survives, of each part's documents."""
        sizes = self._part_rows(workdir)
        documents = recut(self.preference.documents(workdir), sizes)
        for table, place in zip(recut(judged.tables(), sizes), documents, strict=True):
            # Whatever a reference is like, it is there to be compared with.
            eligible = pc.or_(pc.is_null(table.column("reason")), place.column("reference"))
            contenders = place.select(["place", "exact_group", "alone", "reference"])
            contenders = contenders.append_column("eligible", eligible)
            yield contenders.append_column("key", table.column("key"))

    def _verdicts(self, judged: TableFile, found: RowValues, workdir: Path) -> Iterator[pl.DataFrame]:
        """The verdicts on each part's documents: what rules, classifiers and duplicates say together."""
        sizes = self._part_rows(workdir)
        of_clusters = found.columns(
            kept=-1,
            similarity=np.nan,
            method=-1,
            component=None,
            cluster_size=1,
            component_key=np.uint64(0),
        )
        documents = recut(self.preference.documents(workdir), sizes)
        first = 0
        for table, place, outcome in zip(
            recut(judged.tables(), sizes), documents, recut(of_clusters, sizes), strict=True
        ):
            reference = pl.Series(place.column("reference"))
            frame = _named(table).with_columns(reason=pl.when(~reference).then("reason"))
            frame = frame.hstack(pl.DataFrame(pl.from_arrow(outcome)))
            alone = pl.col("kept") < 0
            own = pl.int_range(first, first + len(frame), dtype=pl.Int64)
            yield frame.with_columns(
                keep=pl.when(alone).then(pl.col("reason").is_null()).otherwise(pl.col("kept") == 1)
                & ~reference,
                reason=pl.coalesce(
                    "reason",
                    pl.when(reference).then(pl.lit(REFERENCE, NAME)),
                    *(
                        pl.when(pl.col("method") == number).then(pl.lit(DUPLICATE[method], NAME))
                        for number, method in enumerate(METHODS)
                    ),
                ),
                similarity=pl.col("similarity").fill_nan(None),
                method=pl.col("method").replace_strict(
                    range(len(METHODS)), METHODS, default=None, return_dtype=pl.String
                ),
                component_key=pl.when(pl.col("component") == own).then("key").otherwise("component_key"),
            )
            first += len(frame)

    def _held_out(self, judged: TableFile, found: RowValues, workdir: Path) -> IsHeldOut:
        """Whole clusters are held out, none of which has a text that a classifier has learned from.

        Texts are compared by the first words of their hashes.
        """
        if self.held_out_share == 0:
            return lambda frame: np.zeros(len(frame), bool)
        learned, known = self._learned(workdir), np.empty(0, np.int64)
        if len(learned):
            for frame in self._verdicts(judged, found, workdir):
                of_learned = frame["component"].to_numpy()[_among(frame["key"].to_numpy(), learned)]
                known = np.union1d(known, of_learned)
        choice = HeldOutChoice(self.held_out_share, BYTES_A_TOKEN * self.held_out_least)

        def free(frame: pl.DataFrame) -> npt.NDArray[np.bool_]:
            return frame["keep"].to_numpy() & ~_among(frame["component"].to_numpy(), known)

        def draw(frame: pl.DataFrame) -> npt.NDArray[np.float64]:
            return held_out_draw(frame["component_key"].to_numpy(), self.seed)

        for frame in self._verdicts(judged, found, workdir):
            evaluated = pl.col("bytes").clip(upper_bound=BYTES_A_TOKEN * self.longest_held_out)
            drawn = frame.with_columns(draw=pl.Series(draw(frame)), evaluated=evaluated)
            drawn = drawn.filter(pl.Series(free(frame)))
            choice.see(drawn.select(pl.col(DOMAIN).cast(pl.String), pl.col(CLUSTERS.columns[1:])))
        needed = choice.needed()

        def is_held_out(frame: pl.DataFrame) -> npt.NDArray[np.bool_]:
            chosen = (draw(frame) < self.held_out_share) | _among(frame["component"].to_numpy(), needed)
            return chosen & free(frame)

        return is_held_out

    def _learned(self, workdir: Path) -> Keys:
        """First words of the hashes of all texts that any classifier has learned from, ascending."""
        learned = [first_words(classifier.learned(workdir)) for classifier in self.trained]
        return np.unique(np.concatenate([np.empty(0, np.uint64), *learned]))

    def _write(self, name: str, verdicts: pl.DataFrame, output: TaskOutput) -> None:
        columns = ["doc_id", "keep", "reason", "kept_doc_id", "similarity", "method", *self.described]
        columns += [f"{classifier.name}.percentile" for classifier in self.classifiers]
        part = verdicts.select(columns).with_columns(pl.col(NAME).cast(pl.String))
        output.write_table(name, part.to_arrow())

    def _ids(self, workdir: Path) -> Iterator[tuple[str, pa.ChunkedArray]]:
        """The doc_ids of each part, and the name of its verdicts."""
        for hashes in self.preference.hashes:
            names = hashes.parts.part_names(workdir)
            for name, table in zip(names, hashes.tables(workdir, ["doc_id"]), strict=True):
                yield f"{hashes.parts.scope}/{name}", table.column("doc_id")

    def _count(self, groups: pl.DataFrame, output: TaskOutput) -> None:
        """Count the documents and bytes of each verdict."""
        for unit in ("documents", "bytes"):
            rows = groups.group_by("keep", "reason").agg(pl.sum(unit)).rows()
            output.counts.flow(
                unit,
                entered=sum(number for _, _, number in rows),
                left=sum(number for keep, _, number in rows if keep),
                dropped={
                    Count("verdict", reason=reason): number for keep, reason, number in rows if not keep
                },
            )

    @property
    def judged_parts(self) -> tuple[PartStage, ...]:
        """The stages of whose documents it says what becomes of them."""
        standing = {each.source for each in self.preference.standing}
        return tuple(parts for parts in self.preference.parts if parts.scope not in standing)

    @override
    def kept(self, workdir: Path, source: str, part: str) -> npt.NDArray[np.bool_]:
        keep: npt.NDArray[np.bool_] = self.verdict(workdir, source, part, ["keep"]).column("keep").to_numpy()
        return keep

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


def _named(table: pa.Table) -> pl.DataFrame:
    """A part as rules judged it, names as `NAME`."""
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame.with_columns(pl.col(DOMAIN, LANGUAGE, "reason").cast(NAME))


def _grouped(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The documents and bytes of each verdict (`GROUP`)."""
    by_verdict = verdicts.group_by("keep", pl.col("reason").cast(pl.String))
    return by_verdict.agg(documents=pl.len().cast(pl.Int64), bytes=pl.sum("bytes"))


def _among(values: npt.NDArray[Any], ascending: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which values are in an ascending array."""
    if len(ascending) == 0:
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    found: npt.NDArray[np.bool_] = ascending[place] == values
    return found

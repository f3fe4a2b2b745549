"""Survey: what the report shows of documents, in small tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from filters.language.identify import LOW_SCORE, NOT_KEPT
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Inputs, Stage, distinct
from pipelines.stages import hash_sampling
from pipelines.stages.classify.percentile_verdicts import DOMAIN
from pipelines.stages.hash_sampling import example_draw, first_words
from pipelines.stages.select import DUPLICATE, LANGUAGE, LANGUAGE_SCORE, JudgedSource, Select
from pipelines.stages.survey.histograms import HISTOGRAMS, histograms
from pipelines.stages.survey.hosts import HOST_NUMBERS, hosts
from pipelines.stages.survey.otherwise import BYTES, Otherwise, limits_of
from pipelines.stages.survey.samples import SAMPLE, samples

SIGNALS, GROUPS, SAMPLES, HOSTS = "signals", "groups", "samples", "hosts"
SIMILARITY = "similarity"
GROUP = {"group": pl.String, "reason": pl.String, "documents": pl.Int64}
SCHEMAS = {
    SIGNALS: pl.DataFrame(pl.from_arrow(HISTOGRAMS.empty_table())).schema,
    GROUPS: pl.Schema(GROUP),
    SAMPLES: pl.DataFrame(pl.from_arrow(SAMPLE.empty_table())).schema,
    HOSTS: pl.Schema(HOST_NUMBERS),
}
"""Of a source without a part."""
VERDICT = ["keep", "held_out", "reason", DOMAIN, LANGUAGE]


@dataclass(frozen=True, kw_only=True)
class Survey(Stage):
    """Output: tables of each part in `signals`, `groups`, `samples` and `hosts`, as `SOURCE/PART.parquet`.

    See HISTOGRAMS, SAMPLE and HOST_NUMBERS; `groups` has the number of documents by `group` and `reason`,
    which is null where they are kept.
    """

    name: ClassVar[str] = "survey"
    version: ClassVar[int] = 1
    select: Select

    @property
    def sources(self) -> tuple[JudgedSource, ...]:
        """The sources whose documents are judged anew."""
        return tuple(self.select.source(parts.scope) for parts in self.select.judged_parts)

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.select, *distinct(stage for source in self.sources for stage in _read(source)))

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "sampling": hash_sampling.VERSION,
            "seed": self.select.seed,
            "rules": {
                source.scope: [[rule.name, rule.signal, rule.min, rule.max] for rule in source.rules]
                for source in self.sources
            },
            "languages": {
                source.scope: [source.language.min_score, source.language.keep] for source in self.sources
            },
        }

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [
            {"source": parts.scope, "part": part}
            for parts in self.select.judged_parts
            for part in parts.part_names(workdir)
        ]

    @override
    def task_key(self, task: Task, inputs: Inputs) -> Any:
        source, part = self.select.source(task["source"]), task["part"]
        read = {stage.label: inputs.get(stage.label) for stage in _read(source)}
        hashes = {label: manifest and manifest.by_name[part].hash for label, manifest in read.items()}
        return [source.scope, inputs[self.select.label].by_name[f"{source.scope}/{part}"].hash, hashes]

    @override
    def carried_name(self, name: str, old: int, old_task: Task, new: int, task: Task) -> str | None:
        return f"{name.partition('/')[0]}/{task['source']}/{task['part']}"

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return {"documents": sum(sum(parts.part_rows(workdir)) for parts in self.select.judged_parts)}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        source, part = self.select.source(task["source"]), task["part"]
        limits, percentiles = limits_of(source), _percentiles(self.select)
        columns = {"doc_id", "content_hash", LANGUAGE, *limits}
        table = source.annotations.table(workdir, part, columns)
        said = [SIMILARITY, *percentiles.values()]
        verdicts = self.select.verdict(workdir, source.scope, part, [*VERDICT, *said])
        objected = [each.reasons(workdir, part) for each in source.datatrove]
        found = histograms(limits, table, Otherwise.of(source, table, verdicts, objected))
        output.write_table(f"{SIGNALS}/{source.scope}/{part}", found)

        documents = pl.DataFrame(pl.from_arrow(verdicts.select(VERDICT))).rename({DOMAIN: "group"})
        draws = example_draw(first_words(table.column("content_hash")), self.select.seed)
        documents = documents.with_columns(
            bytes=pl.Series(table.column(BYTES)), doc_id=pl.Series(table.column("doc_id")), draw=draws
        )
        groups = documents.group_by("group", "reason").agg(documents=pl.len().cast(pl.Int64))
        output.write_table(f"{GROUPS}/{source.scope}/{part}", groups.sort("group", "reason").to_arrow())
        path = source.annotations.parts.path(workdir, part)
        numbers = _beside(table.select(list(limits)), verdicts.select(said))
        shown = samples(path, documents, numbers, _reasons(source) | percentiles)
        output.write_table(f"{SAMPLES}/{source.scope}/{part}", shown)
        urls = pl.Series(pq.read_table(path, columns=["url"]).column("url"))
        of_hosts = hosts(documents.with_columns(url=urls))
        output.write_table(f"{HOSTS}/{source.scope}/{part}", of_hosts.to_arrow())
        output.counts.flow("documents", entered=table.num_rows, left=table.num_rows)

    def scan(self, workdir: Path, kind: str, source: str) -> pl.LazyFrame:
        """The tables of a kind (`SIGNALS`, `GROUPS`, `SAMPLES`, `HOSTS`) of a source's parts, as one."""
        names = self.manifest(workdir).part_names(".parquet")
        paths = [self.path(workdir, name) for name in names if name.startswith(f"{kind}/{source}/")]
        return pl.scan_parquet(paths) if paths else pl.LazyFrame(schema=SCHEMAS[kind])


def _read(source: JudgedSource) -> tuple[Stage, ...]:
    """What is read of a source besides its verdicts."""
    return (source.annotations.parts, *source.annotations.sidecars, *source.datatrove)


def _percentiles(select: Select) -> dict[str, str]:
    """The column that decides a classifier's verdict, by its reason."""
    return {f"classifier.{each.name}": f"{each.name}.percentile" for each in select.classifiers}


def _reasons(source: JudgedSource) -> dict[str, str]:
    """The column of numbers that a reason is about."""
    of_language = dict.fromkeys((LOW_SCORE, NOT_KEPT), LANGUAGE_SCORE)
    of_rules = {rule.name: rule.signal for rule in source.rules}
    return of_language | of_rules | {DUPLICATE["minhash"]: SIMILARITY}


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    """Two tables of the same rows as one."""
    names = [*left.column_names, *right.column_names]
    return pa.table([*left.columns, *right.columns], names=names)

"""The funnel of a source: from records that were read to documents that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.execution.counts import Flow
from pipelines.execution.stage import distinct
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.languages import language_identified
from pipelines.report.losses import losses
from pipelines.report.words import in_words
from pipelines.sources.licences.column import declared_id
from pipelines.stages.ingest import Ingest, passed_over
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select
from pipelines.stages.tokenize import LEFT_OUT, Tokenize

VERDICT = ("keep", "held_out", "reason", "language")
_GROUPED = pl.DataFrame(
    schema={
        "keep": pl.Boolean,
        "held_out": pl.Boolean,
        "reason": pl.String,
        "language": pl.String,
        "len": pl.UInt32,
        "bytes": pl.Int64,
    }
)
"""Documents with the same verdict and language: how many, and the bytes of their texts."""


def source_report(
    graph: Graph, parts: PartStage, select: Select, tokenized: Tokenize | None, done: Finished
) -> dict[str, Any]:
    """The funnel of one source, from records read to documents kept; null where it has not come so far."""
    config = graph.recipe.sources.get(parts.scope)
    return {
        "source": parts.scope,
        "domain": parts.domain,
        "licence": declared_id(config.license) if config else None,
        "synthetic": not isinstance(parts.origin, Ingest),
        **_records(parts, done),
        **_kept(parts, select, done),
        "language": language_identified(parts, select, config.language if config else None, done),
        "left_out_by_template": _left_out(tokenized, done) if tokenized else {},
    }


def _left_out(tokenized: Tokenize, done: Finished) -> dict[str, int]:
    """How many conversations have a field that the chat template does not use, by field."""
    facts = tokenized.manifest(done.workdir).counts.facts
    return {count.reason: number for count, number in facts.items() if count.what == LEFT_OUT}


def _records(parts: PartStage, done: Finished) -> dict[str, Any]:
    """What came in, what was set aside before the corpus, and the documents that there are."""
    stages = distinct((parts.origin, parts))
    if not all(stage in done for stage in stages):
        return {"records": None, "set_aside": {}, "documents": None, "text_bytes": None}
    origin, *cleaned = (stage.manifest(done.workdir).counts for stage in stages)
    flows = (origin.flows.get(unit) for unit in ("records", "questions", "drafts"))
    read = next(filter(None, flows), Flow())
    set_aside = sum((counts.dropped("documents") for counts in cleaned), start=read.dropped)
    return {
        "records": read.entered,
        "set_aside": in_words(set_aside),
        "documents": sum(parts.part_rows(done.workdir)),
        "text_bytes": None,
        **(_losses(parts.origin, done.workdir) if isinstance(parts.origin, Ingest) else {}),
    }


def _kept(parts: PartStage, select: Select, done: Finished) -> dict[str, Any]:
    """What was dropped of a source's documents, and why; what was kept, and held out."""
    if select not in done:
        return {"dropped": {}, "kept": None, "languages": {}, "held_out": None}
    hashes = select.source(parts.scope).annotations.hashes
    groups = [_GROUPED.clear()]
    for part in parts.part_names(done.workdir):
        verdicts = _frame(select.verdict(done.workdir, parts.scope, part, [*VERDICT]))
        sizes = _frame(hashes.table(done.workdir, part, ["bytes"]))
        groups.append(verdicts.with_columns(sizes).group_by(*VERDICT).agg(pl.len(), pl.sum("bytes")))
    found = pl.concat(groups, how="vertical_relaxed")
    kept = found.filter("keep")
    dropped = found.filter(~pl.col("keep")).group_by("reason").agg(pl.sum("len"))
    return {
        "text_bytes": hashes.manifest(done.workdir).counts.number("text_bytes_read"),
        "kept_bytes": int(kept["bytes"].sum()),
        "dropped": dict(dropped.sort("len", "reason", descending=[True, False]).rows()),
        "kept": int(kept["len"].sum()),
        "languages": _languages(found),
        "held_out": int(found.filter("held_out")["len"].sum()),
    }


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))


def _losses(ingest: Ingest, workdir: Path) -> dict[str, Any]:
    found = [each._asdict() for each in passed_over(ingest, workdir)]
    return losses(ingest, workdir) | {"passed_over": found}


def _languages(groups: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Documents, and documents kept, by language, the most frequent first."""
    counts = groups.group_by("language").agg(pl.sum("len"), pl.col("len").filter("keep").sum().alias("kept"))
    counts = counts.sort("len", "language", descending=[True, False])
    return {language: {"documents": n, "kept": kept} for language, n, kept in counts.rows()}

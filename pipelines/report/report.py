"""The report: what went in, what was dropped and why, what was asked for and what was built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from mixers.files import write_bytes
from pipelines.evaluation.tables import sheets
from pipelines.execution.counts import Counts, Flow
from pipelines.execution.stage import distinct
from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.report.classifiers import classifier_reports
from pipelines.report.edits import boilerplate_reports, edit_reports
from pipelines.report.training import score_table
from pipelines.report.words import in_words
from pipelines.stages.ingest import Ingest, quarantined
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select
from pipelines.stages.tokenizer import ENCODER

QUARANTINE_SHOWN = 200
FILES = {"report.html": "report.html.jinja", "README.md": "README.md.jinja"}
REPORT_FILES = ("report.json", *FILES)


def write_report(graph: Graph, workdir: Path) -> None:
    """Write `report.json`, `report.html` and `README.md` (the dataset card) into the run's folder."""
    from jinja2 import Environment, PackageLoader

    content = gather_report(graph, workdir)
    write_bytes(workdir / "report.json", orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    # Documents and their sources are hostile text: everything is escaped, in the card as well.
    environment = Environment(
        loader=PackageLoader("pipelines.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    tables = {name: list(sheets(list(found.values()))) for name, found in content["evaluation"].items()}
    for name, template in FILES.items():
        text = environment.get_template(template).render(content, evaluation_tables=tables)
        write_bytes(workdir / name, text.encode())


def gather_report(graph: Graph, workdir: Path) -> dict[str, Any]:
    """The report of a finished run, JSON-able."""
    recipe = graph.recipe
    return {
        "name": recipe.name,
        "description": recipe.description,
        "seed": recipe.seed,
        "sources": [_source(parts, select, workdir) for parts, select in graph.part_stages()],
        "edits": [edit for ingest in graph.ingests for edit in edit_reports(ingest, workdir)],
        "boilerplate": [b for parts, _ in graph.part_stages() for b in boilerplate_reports(parts, workdir)],
        "classifiers": [c for select in graph.selects for c in classifier_reports(select, workdir)],
        "rules": [rule for s in graph.selects for rule in failed_rules(s.manifest(workdir).counts)],
        "quarantine": list(_quarantine(graph, workdir)),
        "tokenizer": _tokenizer(graph, workdir),
        "mixtures": {name: mix.ledger(workdir).model_dump(mode="json") for name, mix in graph.mixes.items()},
        "training": _training(graph, workdir),
        "evaluation": _evaluation(graph, workdir),
        "stages": [
            {
                "stage": stage.label,
                "folder": stage.folder(workdir).name,
                "fingerprint": stage.fingerprint,
                "seconds": stage.manifest(workdir).seconds,
                "counts": stage.manifest(workdir).counts.model_dump(),
            }
            for stage in graph.stages()
        ],
    }


def _source(parts: PartStage, select: Select, workdir: Path) -> dict[str, Any]:
    """The funnel of one source, from records read to documents kept."""
    verdicts = pl.concat(
        [pl.DataFrame(pl.from_arrow(t)) for _, t in select.verdicts(workdir, parts.scope)] or [_EMPTY]
    )
    hashed = select.source(parts.scope).annotations.hashes.manifest(workdir).counts
    origin, *cleaned = (stage.manifest(workdir).counts for stage in distinct((parts.origin, parts)))
    dropped = verdicts.filter(~pl.col("keep"))["reason"].value_counts(sort=True).rows()
    read = origin.flows.get("records") or origin.flows.get("questions") or Flow()
    set_aside = sum((counts.dropped("documents") for counts in cleaned), start=read.dropped)
    return {
        "source": parts.scope,
        "domain": parts.domain,
        "synthetic": not isinstance(parts.origin, Ingest),
        "records": read.entered,
        "set_aside": in_words(set_aside),
        "documents": len(verdicts),
        "text_bytes": hashed.number("text_bytes_read"),
        "dropped": dict(dropped),
        "kept": int(verdicts["keep"].sum()),
        "languages": _languages(verdicts),
        "held_out": int(verdicts["held_out"].sum()),
    }


def _languages(verdicts: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Documents, and documents kept, by language, the most frequent first."""
    counts = verdicts.group_by("language").agg(pl.len(), pl.sum("keep"))
    counts = counts.sort("len", "language", descending=[True, False])
    return {language: {"documents": n, "kept": kept} for language, n, kept in counts.rows()}


_EMPTY = pl.DataFrame(
    schema={"keep": pl.Boolean, "held_out": pl.Boolean, "reason": pl.String, "language": pl.String}
)


def failed_rules(counts: Counts) -> list[dict[str, Any]]:
    """How many documents of each source fail each rule, whichever rule dropped them, the most first."""
    return [
        {"rule": rule, "source": source, "documents": number}
        for (_, source, rule), number in sorted(counts.rows("failed_rule"), key=lambda row: -row[1])
        if number
    ]


def _quarantine(graph: Graph, workdir: Path) -> Iterator[dict[str, str]]:
    left = QUARANTINE_SHOWN
    for ingest in graph.ingests:
        for table in quarantined(ingest, workdir):
            rows: pa.Table = table.slice(0, left)
            left -= rows.num_rows
            yield from ({"source": ingest.scope, **row} for row in rows.to_pylist())


def _tokenizer(graph: Graph, workdir: Path) -> dict[str, Any]:
    encoder = orjson.loads(graph.tokenizer.path(workdir, ENCODER).read_bytes())
    vocabulary = graph.tokenizer.manifest(workdir).counts.number("vocabulary")
    return {"base": graph.recipe.tokenizer.base, "vocabulary": vocabulary, **encoder}


def _training(graph: Graph, workdir: Path) -> dict[str, Any]:
    """The result of each trained stage, with a table of its scores beside those before it."""
    stages = list(graph.recipe.mixtures)
    training = {}
    for stage in trained_stages(workdir, stages):
        table = score_table(stage.lineage(stages))
        training[stage.name] = stage.result | {"scores": asdict(table) if table else None}
    return training


def _evaluation(graph: Graph, workdir: Path) -> dict[str, Any]:
    """The scores that evaluation after each stage gave, by the role of the model."""
    scores = {name: TrainedStage(workdir, name).scores for name in graph.recipe.mixtures}
    return {name: by_role for name, by_role in scores.items() if by_role is not None}

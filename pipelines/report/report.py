"""The report: what went in, what was dropped and why, what was asked for and what was built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.evaluation.tables import models_of
from pipelines.execution.counts import Counts
from pipelines.execution.stage import Stage
from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.recipe.recipe import HELD_OUT
from pipelines.report.classifiers import classifier_reports
from pipelines.report.contamination import contamination_report
from pipelines.report.deviation import deviations
from pipelines.report.duplicates import duplicate_report
from pipelines.report.edits import boilerplate_reports, edit_reports
from pipelines.report.finished import Finished
from pipelines.report.funnel import source_report
from pipelines.report.hosts import host_reports
from pipelines.report.lengths import languages, lengths
from pipelines.report.licences import licence_report
from pipelines.report.lineage import first_written, lineage_report
from pipelines.report.outcome.summary import outcome_report
from pipelines.report.publishing.origins import origins
from pipelines.report.publishing.shard_facts import shard_facts
from pipelines.report.samples import sample_reports
from pipelines.report.shards_now import shards_fingerprint
from pipelines.report.signals import signal_reports
from pipelines.report.synthesis import synthesis_report
from pipelines.report.synthesis_trial import trial_report
from pipelines.report.synthetic_share import synthetic_shares
from pipelines.report.tokenizer import tokenizer_report
from pipelines.report.training import score_table
from pipelines.report.training_curves import training_curve
from pipelines.report.trials import trials_report
from pipelines.report.warnings import warnings_of
from pipelines.report.yield_curve import yield_curves
from pipelines.stages.set_aside import ReadingStage, quarantined
from pipelines.stages.tokenize import Tokenize

QUARANTINE_SHOWN = 200


def gather_report(graph: Graph, workdir: Path) -> dict[str, Any]:
    """The report of a run, JSON-able: of one that is not finished what there is."""
    recipe, done = graph.recipe, Finished(workdir)
    tokenized = {stage.scope: stage for stage in done.of(graph.stages()) if isinstance(stage, Tokenize)}
    content = {
        "name": recipe.name,
        "description": recipe.description,
        "seed": recipe.seed,
        "unfinished": done.how_far(graph.stages()),
        "sources": [
            source_report(graph, parts, select, tokenized.get(parts.scope), done)
            for parts, select in graph.part_stages()
        ],
        "source_tokens": {name: _tokens(stage, done) for name, stage in tokenized.items()},
        "edits": [edit for ingest in done.of(graph.ingests) for edit in edit_reports(ingest, workdir)],
        "boilerplate": [
            b
            for parts in done.of(parts for parts, _ in graph.part_stages())
            for b in boilerplate_reports(parts, workdir)
        ],
        "classifiers": [c for s in done.of(graph.selects) for c in classifier_reports(s, workdir)],
        "contamination": contamination_report(graph, done),
        "duplicates": duplicate_report(graph, done),
        "licences": licence_report(graph, done),
        "unknown_licences": recipe.licences.unknown,
        "rules": [rule for s in done.of(graph.selects) for rule in failed_rules(s.manifest(workdir).counts)],
        "quarantine": list(_quarantine(graph, done)),
        "tokenizer": tokenizer_report(graph, done),
        "mixtures": {
            name: mix.ledger(workdir).model_dump(mode="json")
            for name, mix in graph.mixes.items()
            if mix in done
        },
        "deviation": deviations(graph, done),
        "lengths": lengths(graph, done),
        "domains_languages": languages(graph, done),
        "shards": shard_facts(graph, done),
        "origins": origins(graph),
        "synthesis": synthesis_report(graph, done),
        "synthesis_trial": trial_report(workdir),
        "synthetic": (synthetic := synthetic_shares(graph, done)),
        "training": _training(graph, done),
        "training_unfinished": _training_unfinished(graph, done),
        "yield_curves": yield_curves(graph, done, {name for name, groups in synthetic.items() if groups}),
        "evaluation": _evaluation(graph, done),
        "trials": trials_report(workdir),
        "outcome": outcome_report(graph, workdir),
        "signals": signal_reports(graph, done),
        "samples": sample_reports(graph, done),
        "hosts": host_reports(graph, done),
        "stages": [_stage(stage, done) for stage in graph.stages()],
        "lineage": (lineage := lineage_report(graph, done)),
    }
    content["warnings"] = warnings_of(content)
    lineage["written"] = first_written(content, workdir / "report.json")
    return content


def _tokens(tokenized: Tokenize, done: Finished) -> int:
    """The tokens of a source's kept documents."""
    return tokenized.manifest(done.workdir).counts.number("tokens")


def _stage(stage: Stage, done: Finished) -> dict[str, Any]:
    manifest = stage.manifest(done.workdir) if stage in done else None
    return {
        "stage": stage.label,
        "folder": stage.folder(done.workdir).name,
        "fingerprint": stage.fingerprint,
        "finished": manifest is not None,
        "seconds": manifest.seconds if manifest else None,
        "counts": manifest.counts.model_dump() if manifest else None,
    }


def failed_rules(counts: Counts) -> list[dict[str, Any]]:
    """How many documents of each source fail each rule, whichever rule dropped them, the most first."""
    return [
        {"rule": rule, "source": source, "documents": number}
        for (_, source, rule), number in sorted(counts.rows("failed_rule"), key=lambda row: -row[1])
        if number
    ]


def _quarantine(graph: Graph, done: Finished) -> Iterator[dict[str, Any]]:
    left = QUARANTINE_SHOWN
    for stage in graph.stages():
        for table in _bad_records(stage, done) if isinstance(stage, ReadingStage) else ():
            rows: pa.Table = table.slice(0, left)
            left -= rows.num_rows
            yield from ({"source": stage.scope, **row} for row in rows.to_pylist())


def _bad_records(stage: ReadingStage, done: Finished) -> Iterator[pa.Table]:
    """The bad records of files, as far as they were read."""
    if stage in done:
        yield from quarantined(stage, done.workdir)
    else:
        for path in sorted((stage.folder(done.workdir) / "quarantine").glob("[0-9]*.parquet")):
            yield pq.read_table(path)


def _training(graph: Graph, done: Finished) -> dict[str, Any]:
    """The result of each trained stage, with a table of its scores beside those before it."""
    stages = list(graph.recipe.mixtures)
    training = {}
    for stage in trained_stages(done.workdir, stages):
        table = score_table(stage.lineage(stages))
        training[stage.name] = stage.result | {
            "of_these_shards": stage.result["shards_fingerprint"]
            == shards_fingerprint(graph, stage.name, done),
            "scores": asdict(table) if table else None,
            "curve": training_curve(stage),
        }
    return training


def _training_unfinished(graph: Graph, done: Finished) -> dict[str, Any]:
    """The curve so far of each stage whose training is under way, or was broken off."""
    stages = (TrainedStage(done.workdir, name) for name in graph.recipe.mixtures)
    curves = {stage.name: training_curve(stage) for stage in stages if not stage.is_trained}
    return {name: curve for name, curve in curves.items() if curve}


def _evaluation(graph: Graph, done: Finished) -> dict[str, Any]:
    """The scores that evaluation after each stage gave, by the role of the model, and their comparison."""
    found = {}
    for name in graph.recipe.mixtures:
        if (scores := TrainedStage(done.workdir, name).scores) is not None:
            of_models = {
                role: of_model | {"of_these_shards": _of_held_out(of_model, graph, done)}
                for role, of_model in models_of(scores).items()
            }
            found[name] = scores | of_models
    return found


def _of_held_out(scores: dict[str, Any], graph: Graph, done: Finished) -> bool | None:
    """Whether scores are of the documents that are held out now; None where they are of none."""
    fingerprint = scores.get("shards_fingerprint")
    return None if fingerprint is None else fingerprint == shards_fingerprint(graph, HELD_OUT, done)

"""What people are shown of classifiers: how well each does, and what each says of a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.stages.classify.percentile_verdicts import Judge
from pipelines.stages.classify.score import Score
from pipelines.stages.select import Select


def classifier_reports(select: Select, workdir: Path) -> Iterator[dict[str, Any]]:
    """For each classifier of a finished run what it is, learned from, and its cross-validation."""
    facts = select.manifest(workdir).counts.facts
    for judge in select.judges:
        yield {
            "classifier": judge.name,
            "ensemble": [member.name for member in judge.members],
            "keep": judge.keep,
            "dropped": facts[f"fails classifier.{judge.name}"],
            **(_trained(judge.scores[0], workdir) if judge.scores else {}),
        }


def _trained(score: Score, workdir: Path) -> dict[str, Any]:
    classifier = score.classifier
    manifest = classifier.manifest(workdir)
    flow = manifest.counts.flows.get("examples")
    files = [file for file in manifest.all_files() if file.name.startswith(("model.", "head."))]
    return {
        "kind": classifier.config.model,
        "model": {"file": files[0].name, "bytes": files[0].bytes, "hash": files[0].hash} if files else None,
        "body": classifier.settings.get("model"),
        "labels": list(classifier.labels(workdir)),
        "positive": score.positive,
        "left_out": dict(sorted(flow.dropped.items())) if flow else {},
        "validation": classifier.report(workdir),
    }


def scores_of(
    select: Select, workdir: Path, scope: str, part: str, rows: list[int], verdicts: list[dict[str, Any]]
) -> list[dict[str, dict[str, Any]]]:
    """For each of the documents at `rows` of a part: classifier to label, score, bucket, percentile."""
    found: list[dict[str, dict[str, Any]]] = [{} for _ in rows]
    for judge in select.judges:
        table = _sidecar(judge, workdir, scope, part)
        sidecar = table.take(pa.array(rows)).to_pylist() if table else [{"label": None}] * len(rows)
        for said, verdict, values in zip(found, verdicts, sidecar, strict=True):
            percentile = verdict[f"{judge.name}.percentile"]
            if values["label"] is not None:
                said[judge.name] = values
            elif percentile is not None:
                said[judge.name] = {
                    "score": values.get("score"),
                    "percentile": round(100 * percentile, 2),
                    "bucket": verdict.get(judge.name),
                }
    return found


def _sidecar(judge: Judge, workdir: Path, scope: str, part: str) -> pa.Table | None:
    for score in judge.scores:
        if score.parts.scope == scope:
            return pq.read_table(score.folder(workdir) / part)
    return None


def why_dropped(select: Select, verdict: dict[str, Any]) -> str | None:
    """Where a document stands that a classifier's cut dropped, and the cut."""
    for judge in select.judges:
        if verdict["reason"] == f"classifier.{judge.name}" and judge.keep is not None:
            percentile = 100 * verdict[f"{judge.name}.percentile"]
            return f"{judge.name} is at percentile {percentile:.2f}, under {100 * (1 - judge.keep):g}"
    return None

"""What people are shown of classifiers: how well each does, and what each says of a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.report.losses import losses
from pipelines.stages.classify.percentile_verdicts import Verdicts
from pipelines.stages.classify.score import Score
from pipelines.stages.select import Select


def classifier_reports(select: Select, workdir: Path) -> Iterator[dict[str, Any]]:
    """For each classifier of a finished run what it is, learned from, and its cross-validation."""
    counts = select.manifest(workdir).counts
    for verdicts in select.classifiers:
        yield {
            "classifier": verdicts.name,
            "ensemble": verdicts.members,
            "keep": verdicts.keep,
            "dropped": counts.number("failed_classifier", reason=verdicts.name),
            **({} if verdicts.members else _trained(verdicts.stages[0], workdir)),
        }


def _trained(score: Score, workdir: Path) -> dict[str, Any]:
    classifier = score.classifier
    manifest = classifier.manifest(workdir)
    left_out = sorted(manifest.counts.dropped("examples").items())
    files = [file for file in manifest.all_files() if file.name.startswith(("model.", "head."))]
    return {
        "kind": classifier.config.model,
        "model": {"file": files[0].name, "bytes": files[0].bytes, "hash": files[0].hash} if files else None,
        "body": classifier.settings.get("model"),
        "labels": list(classifier.labels(workdir)),
        "positive": score.positive,
        "left_out": {count.reason: number for count, number in left_out},
        **(losses(classifier, workdir) if classifier.places else {}),
        "validation": classifier.report(workdir),
    }


def scores_of(
    select: Select, workdir: Path, scope: str, part: str, rows: list[int], verdicts: list[dict[str, Any]]
) -> list[dict[str, dict[str, Any]]]:
    """For each of the documents at `rows` of a part: classifier to label, score, bucket, percentile."""
    scores: list[dict[str, dict[str, Any]]] = [{} for _ in rows]
    for classifier in select.classifiers:
        table = _sidecar(classifier, workdir, scope, part)
        sidecar = table.take(pa.array(rows)).to_pylist() if table else [{"label": None}] * len(rows)
        for of_document, verdict, values in zip(scores, verdicts, sidecar, strict=True):
            percentile = verdict[f"{classifier.name}.percentile"]
            if values["label"] is not None:
                of_document[classifier.name] = values
            elif percentile is not None:
                of_document[classifier.name] = {
                    "score": values.get("score"),
                    "percentile": round(100 * percentile, 2),
                    "bucket": verdict.get(classifier.name),
                }
    return scores


def _sidecar(classifier: Verdicts, workdir: Path, scope: str, part: str) -> pa.Table | None:
    """What the classifier's own scores are; an ensemble has none."""
    for score in () if classifier.members else classifier.stages:
        if score.parts.scope == scope:
            return score.table(workdir, part, score.columns)
    return None


def why_dropped(select: Select, verdict: dict[str, Any]) -> str | None:
    """Where a document stands that a classifier's cut dropped, and the cut."""
    for classifier in select.classifiers:
        if verdict["reason"] == f"classifier.{classifier.name}" and classifier.keep is not None:
            percentile = 100 * verdict[f"{classifier.name}.percentile"]
            return (
                f"{classifier.name} is at percentile {percentile:.2f}, under {100 * (1 - classifier.keep):g}"
            )
    return None

"""`coupage inspect`: single documents with their signals, their verdict and the evidence for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape

from filters.language.identify import LOW_SCORE, NOT_KEPT, LanguageRule
from pipelines.graph.build import Graph
from pipelines.report.classifiers import scores_of, why_dropped
from pipelines.stages.parts import PartStage
from pipelines.stages.select import JudgedSource, Select

SHOWN_CHARACTERS = 600
NOT_SHOWN = re.compile("doc_id|source_language|content_hash|band_[0-9]+")


@dataclass(frozen=True)
class Wanted:
    """Which documents to show; None means any."""

    reason: str | None
    source: str | None
    kept: bool


def find_documents(graph: Graph, workdir: Path, wanted: Wanted, number: int) -> list[dict[str, Any]]:
    """The first `number` documents that are as wanted, JSON-able."""
    found: list[dict[str, Any]] = []
    for parts, select in graph.part_stages():
        if wanted.source is not None and parts.scope != wanted.source:
            continue
        for part, verdicts in select.verdicts(workdir, parts.scope):
            rows = _matching(verdicts, wanted)[: number - len(found)]
            found += _documents(parts, select, workdir, part, verdicts, rows)
            if len(found) == number:
                return found
    return found


def _matching(verdicts: pa.Table, wanted: Wanted) -> list[int]:
    matches = (
        verdicts.column("keep") if wanted.kept else pa.chunked_array([pa.repeat(True, verdicts.num_rows)])
    )
    if wanted.reason is not None:
        reason = verdicts.column("reason").fill_null("")
        same = pc.match_substring_regex(reason, rf"^{re.escape(wanted.reason)}([.:].*)?$")
        matches = pc.and_(matches, same)
    rows: list[int] = pc.indices_nonzero(matches).to_pylist()
    return rows


def _documents(
    parts: PartStage, select: Select, workdir: Path, part: str, verdicts: pa.Table, rows: list[int]
) -> Iterator[dict[str, Any]]:
    if not rows:
        return
    source = select.source(parts.scope)
    documents = pq.read_table(parts.path(workdir, part)).take(rows).to_pylist()
    columns = (name for sidecar in source.annotations.sidecars for name in sidecar.columns)
    shown = [name for name in columns if not NOT_SHOWN.fullmatch(name)]
    signals = source.annotations.table(workdir, part, shown).take(rows).to_pylist()
    judged = verdicts.take(rows).to_pylist()
    scores = scores_of(select, workdir, parts.scope, part, rows, judged)
    for document, values, verdict, said in zip(documents, signals, judged, scores, strict=True):
        yield {
            "doc_id": document["doc_id"],
            "source": document["source"],
            "verdict": _verdict(verdict),
            "why": _why(select, source, verdict, values),
            "kept_instead": _kept_instead(select, workdir, verdict),
            "similarity": verdict["similarity"],
            "cluster_size": verdict["cluster_size"],
            "scores": said,
            "text": document["text"],
            "signals": values,
        }


def _verdict(verdict: dict[str, Any]) -> str:
    if not verdict["keep"]:
        return f"dropped: {verdict['reason']}"
    return "held out" if verdict["held_out"] else "kept"


def _why(
    select: Select, source: JudgedSource, verdict: dict[str, Any], signals: dict[str, Any]
) -> str | None:
    """The rule that dropped a document, with the signal's value and the threshold."""
    if verdict["reason"] in (LOW_SCORE, NOT_KEPT):
        return _why_language(source.language, signals)
    for rule in source.rules:
        if rule.name == verdict["reason"]:
            value = signals[rule.signal]
            low = rule.min is not None and value < rule.min
            return (
                f"{rule.signal} is {value:g}, {'under' if low else 'over'} {rule.min if low else rule.max:g}"
            )
    return why_dropped(select, verdict)


def _why_language(rule: LanguageRule, signals: dict[str, Any]) -> str:
    """The language that was found, how sure that is, and what was asked."""
    found = f"language is {signals['language']} with score {signals['language_score']:.3f}"
    if signals["language_score"] < rule.min_score:
        return f"{found}, under {rule.min_score:g}"
    return f"{found}; kept are {', '.join(rule.keep or ())}"


def _kept_instead(select: Select, workdir: Path, verdict: dict[str, Any]) -> dict[str, str] | None:
    """The document that was kept in the place of a duplicate."""
    if verdict["kept_doc_id"] is None:
        return None
    for parts in select.preference.parts:
        for part in parts.part_names(workdir):
            table = pq.read_table(
                parts.path(workdir, part),
                columns=["doc_id", "text"],
                filters=pc.field("doc_id") == verdict["kept_doc_id"],
            )
            if table.num_rows:
                kept: dict[str, str] = table.slice(0, 1).to_pylist()[0]
                return kept
    return None


def print_document(document: dict[str, Any], console: Console) -> None:
    """Show one document to a person; its text is hostile and never interpreted."""
    console.rule(escape(document["doc_id"]))
    console.print(f"[bold]{escape(document['verdict'])}[/bold]  {escape(document['why'] or '')}")
    if document["cluster_size"] > 1:
        console.print(f"one of {document['cluster_size']:,} equal or similar documents", highlight=False)
    if document["kept_instead"]:
        console.print(
            f"similarity {document['similarity']:.3f} with {escape(document['kept_instead']['doc_id'])}:"
        )
        console.print(f"[dim]{escape(_beginning(document['kept_instead']['text']))}[/dim]\n")
    for name, said in document["scores"].items():
        shown = ", ".join(f"{key} {_short(value)}" for key, value in said.items() if value is not None)
        console.print(f"{name}: {escape(shown)}", highlight=False)
    console.print(escape(_beginning(document["text"])))
    signals = "  ".join(
        f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
        for name, value in document["signals"].items()
    )
    console.print(f"[dim]{escape(signals)}[/dim]")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _beginning(text: str) -> str:
    shown = text[:SHOWN_CHARACTERS]
    printable = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return printable + ("…" if len(text) > SHOWN_CHARACTERS else "")

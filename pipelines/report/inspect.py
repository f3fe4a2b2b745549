"""`coupage inspect`: single documents with their signals, their verdict and the evidence for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from filters.language.identify import LOW_SCORE, NOT_KEPT, LanguageRule
from pipelines.graph.build import Graph
from pipelines.recipe.recipe import HELD_OUT
from pipelines.report.classifiers import scores_of, why_dropped
from pipelines.report.finished import Finished
from pipelines.report.wanted import Found, Wanted, find_wanted
from pipelines.stages.contamination.apart_mix import ApartMix
from pipelines.stages.contamination.verdicts import CUT, DROP
from pipelines.stages.contamination.verdicts import REASON as CONTAMINATION
from pipelines.stages.document_rows import Rows, documents_at, table_at
from pipelines.stages.select import JudgedSource, Select

NOT_SHOWN = re.compile("doc_id|source_language|license|content_hash|band_[0-9]+")


def find_documents(graph: Graph, workdir: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """The documents that are wanted, JSON-able. Raises as `find_wanted` does."""
    found = find_wanted(graph, workdir, wanted)
    documents = describe(graph, workdir, found)
    instead = _texts_by_id(graph, found, workdir)
    for document in documents:
        kept = document["kept_instead"]
        document["kept_instead"] = {"doc_id": kept, "text": instead[kept]} if kept is not None else None
    draws = np.concatenate([np.empty(0), *(each.draws for each in found)])
    return [documents[number] for number in np.argsort(draws, kind="stable")]


def describe(graph: Graph, workdir: Path, found: list[Found]) -> list[dict[str, Any]]:
    """What is known of documents that were found, JSON-able; in `kept_instead` an id alone."""
    documents = [document for each in found for document in _described(each, workdir)]
    known = _known_from_training(graph, workdir)
    for document in documents:
        document["why"] = document["why"] or known.get(document["doc_id"])
    return documents


def shown_signals(source: JudgedSource) -> list[str]:
    """What was measured of the documents of a source, and can be shown."""
    columns = (name for sidecar in source.annotations.sidecars for name in sidecar.columns)
    return [name for name in columns if not NOT_SHOWN.fullmatch(name)]


def _described(found: Found, workdir: Path) -> Iterator[dict[str, Any]]:
    """What is known of each document; in `kept_instead` an id alone."""
    parts, select, part, rows = found.parts, found.select, found.part, found.rows
    source = select.source(parts.scope)
    signals = _signals_at(source, workdir, part, rows)
    judged = found.verdicts(workdir).to_pylist()
    scores = scores_of(select, workdir, parts.scope, part, rows.tolist(), judged)
    leaks = _leaks(source, workdir, part)
    documents = documents_at(parts.path(workdir, part), rows)
    by_rules = list(dict.fromkeys(rule.signal for rule in source.rules))
    for row, document, values, verdict, said in zip(
        rows.tolist(), documents, signals, judged, scores, strict=True
    ):
        yield {
            "doc_id": document["doc_id"],
            "source": document["source"],
            "group": verdict["domain"],
            "verdict": verdict_in_words(verdict),
            "why": _why(select, source, verdict, values, leaks.get(row)),
            "kept_instead": verdict["kept_doc_id"],
            "similarity": verdict["similarity"],
            "cluster_size": verdict["cluster_size"],
            "scores": said,
            "url": document["url"],
            "license": document["license"],
            "parent_id": document["parent_id"],
            "metadata": orjson.loads(document["metadata"]),
            "text": document["text"],
            "messages": document["messages"],
            "template_fields": orjson.loads(document.get("template_fields") or "null"),
            "judged_signals": by_rules,
            "signals": values,
        }


def _signals_at(source: JudgedSource, workdir: Path, part: str, rows: Rows) -> list[dict[str, Any]]:
    """What was measured of the documents at some rows of a part."""
    shown: dict[str, list[Any]] = {name: [] for name in shown_signals(source)}
    for sidecar in source.annotations.sidecars:
        columns = [name for name in sidecar.columns if name in shown]
        if columns:
            shown |= table_at(sidecar.path(workdir, part), rows, columns).to_pydict()
    return [dict(zip(shown, values, strict=True)) for values in zip(*shown.values(), strict=True)]


def _texts_by_id(graph: Graph, found: list[Found], workdir: Path) -> dict[str, str]:
    """The texts of the documents that were kept in the place of these, by id."""
    texts: dict[str, str] = {}
    for select in graph.selects:
        columns = (each.verdicts(workdir, ["kept_doc_id"])[0] for each in found if each.select is select)
        texts |= _texts_of(select, workdir, {name for ids in columns for name in ids.drop_null().to_pylist()})
    return texts


def _texts_of(select: Select, workdir: Path, left: set[str]) -> Iterator[tuple[str, str]]:
    """The text of each id, of a repeated one the first: only what is needed is read of the parts."""
    for hashes in select.preference.hashes:
        for part in hashes.parts.part_names(workdir) if left else ():
            column = hashes.table(workdir, part, ["doc_id"]).column("doc_id")
            rows = pc.indices_nonzero(pc.is_in(column, pa.array(sorted(left), pa.string()))).to_numpy()
            if len(rows):
                for document in documents_at(hashes.parts.path(workdir, part), rows.astype(np.int64)):
                    if document["doc_id"] in left:
                        left.discard(document["doc_id"])
                        yield document["doc_id"], document["text"]


def _known_from_training(graph: Graph, workdir: Path) -> dict[str, str]:
    """Why held-out documents are not evaluated, by id."""
    mix = graph.mixes.get(HELD_OUT)
    if not isinstance(mix, ApartMix) or mix.apart not in Finished(workdir):
        return {}
    return {
        row[
            "doc_id"
        ]: f"not evaluated: {row['known_words']:,} of its {row['words']:,} words stand in training, "
        f"as in {row['example']}"
        for row in mix.apart.documents(workdir).filter(pc.field("known")).to_pylist()
    }


def verdict_in_words(verdict: dict[str, Any]) -> str:
    """What became of a document."""
    if not verdict["keep"]:
        return f"dropped: {verdict['reason']}"
    return "held out" if verdict["held_out"] else "kept"


def _leaks(source: JudgedSource, workdir: Path, part: str) -> dict[int, str]:
    """What documents of a part have of items for which they are dropped, by row."""
    if source.contamination is None:
        return {}
    matches = source.contamination.table(workdir, part).filter(pl.col("action").is_in([DROP, CUT]))
    return {
        match["row"]: f"has {match['benchmark']} {match['item_id']}: {match['kind']} by "
        f"{match['mechanism']}, score {match['score']:.2f}"
        for match in matches.unique("row", keep="first").iter_rows(named=True)
    }


def _why(
    select: Select,
    source: JudgedSource,
    verdict: dict[str, Any],
    signals: dict[str, Any],
    leak: str | None,
) -> str | None:
    """The rule that dropped a document, with value and threshold; or the item that it has."""
    if (verdict["reason"] or "").startswith(f"{CONTAMINATION}."):
        return leak
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

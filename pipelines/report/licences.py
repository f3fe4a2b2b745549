"""Licences by documents, bytes and tokens: what a run read, kept and trains on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.graph.build import Graph
from pipelines.recipe.licences import Verdict
from pipelines.report.finished import Finished
from pipelines.sources.licences.spdx import UNKNOWN
from pipelines.stages.licences import LICENCE_TOKENS, listed
from pipelines.stages.mix import Mix
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select

Row = dict[str, Any]
NUMBERS = ("documents", "bytes", "kept", "kept_bytes", "dropped")
NAMED = 5
"""Licences that a sentence names."""


def licence_report(graph: Graph, done: Finished) -> list[Row]:
    """What there is under each licence, the most tokens first.

    Of each the `verdict` of the recipe, the documents and bytes of the corpus and those of them that were
    kept, how many were `dropped` because of it, and `tokens`: in the rows of each mixture, as often as they
    occur there, null before it is planned. Sources that are only compared with are left out.
    """
    found: dict[str, Counter[str]] = {what: Counter() for what in NUMBERS}
    for parts, select in graph.part_stages():
        if select in done and parts.scope not in graph.recipe.dedup.against:
            _add_documents(found, parts, select, done.workdir)
    numbers = {what: listed(each) for what, each in found.items()}
    tokens = {name: _tokens(mix, done) for name, mix in graph.mixes.items() if isinstance(mix, Mix)}
    licences = {licence for each in (*numbers.values(), *tokens.values()) for licence in each}
    rows = [
        {
            "licence": licence,
            "verdict": graph.recipe.licences.verdict(None if licence == UNKNOWN else licence).value,
            **{what: each.get(licence, 0) for what, each in numbers.items()},
            "tokens": {name: each.get(licence, 0) if each else None for name, each in tokens.items()},
        }
        for licence in licences
    ]
    return sorted(rows, key=_most_tokens_first)


def _most_tokens_first(row: Row) -> tuple[int, int, str]:
    return -sum(filter(None, row["tokens"].values())), -row["documents"], row["licence"]


def licence_lines(report: dict[str, Any]) -> Iterator[str]:
    """A sentence about the documents that were dropped for their licence, if there are any."""
    rows = sorted(report["licences"], key=lambda row: (-row["dropped"], row["licence"]))
    rows = [row for row in rows if row["dropped"]]
    if rows:
        names = [f"{row['licence']} ({row['dropped']:,})" for row in rows]
        yield f"{sum(row['dropped'] for row in rows):,} documents dropped for their licence: {_first(names)}"


def licence_warnings(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The verdict and a sentence for documents that are kept though their licence is denied, or unknown."""
    for verdict in (Verdict.DENIED, Verdict.UNKNOWN):
        rows = [row for row in report["licences"] if row["verdict"] == verdict and row["kept"]]
        if not rows or (verdict == Verdict.UNKNOWN and report["unknown_licences"] == "allow"):
            continue
        names = [f"`{row['licence']}`" for row in rows]
        kept = f"{sum(row['kept'] for row in rows):,} documents are kept whose licence is {verdict}: "
        yield (
            verdict.value,
            f"{kept}{_first(names)}; `licences.{verdict}` in the recipe says what is done with them",
        )


def _first(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _tokens(mix: Mix, done: Finished) -> dict[str, int]:
    """The tokens of each licence in the rows of a mixture; nothing before it is planned."""
    if mix not in done:
        return {}
    rows = mix.manifest(done.workdir).counts.rows(LICENCE_TOKENS)
    return {count.reason: number for count, number in rows if number}


def _add_documents(found: dict[str, Counter[str]], parts: PartStage, select: Select, workdir: Path) -> None:
    """Add a source's documents and bytes, those kept, and those dropped for their licence, by licence."""
    hashes = select.source(parts.scope).annotations.hashes
    kept_bytes = pl.col("bytes").filter("keep").sum()
    for part in parts.part_names(workdir):
        said = pl.DataFrame(pl.from_arrow(hashes.table(workdir, part, ["license", "bytes"])))
        verdict = pl.DataFrame(pl.from_arrow(select.verdict(workdir, parts.scope, part, ["keep", "reason"])))
        of_licence = verdict["reason"].str.starts_with("licence ").fill_null(False)
        documents = said.with_columns(verdict["keep"], of_licence.alias("dropped"))
        sums = documents.group_by(pl.col("license").fill_null(UNKNOWN)).agg(
            pl.len().alias("documents"),
            pl.sum("bytes", "keep", "dropped"),
            kept_bytes.alias("kept_bytes"),
        )
        for row in sums.rename({"keep": "kept"}).rows(named=True):
            for what in NUMBERS:
                found[what][row["license"]] += row[what]

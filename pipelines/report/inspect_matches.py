"""`coupage inspect --contaminated`: documents that have something of an item, beside that item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from filters.contamination.items import KINDS
from pipelines.errors import UserError
from pipelines.graph.build import Graph
from pipelines.report.contaminated import Compared, by_harm, compared_sources, described, items_at
from pipelines.report.wanted import judged_sources, unknown


@dataclass(frozen=True, kw_only=True)
class WantedMatches:
    """Which documents to show, and which of their matches; None and False mean any."""

    benchmark: str | None = None
    kind: str | None = None
    source: str | None = None
    kept: bool = False
    number: int = 10


def find_contaminated(graph: Graph, workdir: Path, wanted: WantedMatches) -> list[dict[str, Any]]:
    """The documents that are wanted with their matches, JSON-able, the most harmful first.

    Raises:
        UserError: There is no such source, benchmark or kind, or the recipe names no benchmark.
        WorkError: The documents are not judged yet.
    """
    compared = _compared(graph, workdir, wanted)
    _check_names(compared[0], wanted)
    tables = {each.source: _matching(each.matches(workdir), wanted) for each in compared}
    chosen = _first_documents(list(tables.values()), wanted.number)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in compared:
        matches = by_harm(tables[each.source].join(chosen, on=_DOCUMENT, how="semi"))
        items = items_at(each.verdicts.matches.benchmarks, matches["item"], workdir)
        shown = described(matches, each, items, workdir)
        for key, match, said in zip(
            matches.select(_DOCUMENT).rows(), matches.iter_rows(named=True), shown, strict=True
        ):
            found.setdefault(key, _document(match) | {"matches": []})["matches"].append(said)
    return [found[key] for key in chosen.rows()]


_DOCUMENT = ["source", "part", "is_cut", "row"]


def _compared(graph: Graph, workdir: Path, wanted: WantedMatches) -> list[Compared]:
    """The sources that are compared, wanted and judged."""
    every = compared_sources(graph)
    if not every:
        raise UserError(
            "the documents of this run are compared with no benchmark",
            file=str(workdir),
            hint="Name some under `decontaminate.against` in the recipe, and run it again.",
        )
    judged = {parts.scope for parts, _ in judged_sources(graph, workdir, wanted.source)}
    if found := [each for each in every if each.source in judged]:
        return found
    raise UserError(
        f"the source `{wanted.source}` is compared with no benchmark",
        hint=f"Compared are: {', '.join(each.source for each in every)}.",
    )


def _check_names(compared: Compared, wanted: WantedMatches) -> None:
    benchmarks = list(compared.verdicts.matches.benchmarks.against)
    if wanted.benchmark is not None and wanted.benchmark not in benchmarks:
        raise unknown("benchmark", wanted.benchmark, benchmarks)
    if wanted.kind is not None and wanted.kind not in KINDS:
        raise unknown("kind of match", wanted.kind, list(KINDS))


def _matching(matches: pl.DataFrame, wanted: WantedMatches) -> pl.DataFrame:
    for column, value in (("benchmark", wanted.benchmark), ("kind", wanted.kind)):
        if value is not None:
            matches = matches.filter(pl.col(column) == value)
    return matches.filter(pl.col("keep")) if wanted.kept else matches


def _first_documents(tables: list[pl.DataFrame], number: int) -> pl.DataFrame:
    """The documents with the most harmful matches, of equal ones the first in the order of the sources."""
    ranked = pl.concat([table.with_columns(order=pl.lit(place)) for place, table in enumerate(tables)])
    harm = pl.col("kind").cast(pl.Enum(KINDS)).to_physical().min().alias("harm")
    documents = ranked.group_by(_DOCUMENT).agg(harm, pl.first("order"))
    return documents.sort("harm", "order", "part", "row", "is_cut").head(number).select(_DOCUMENT)


def _document(match: dict[str, Any]) -> dict[str, Any]:
    return {"doc_id": match["doc_id"], "source": match["source"], "verdict": _verdict(match)}


def _verdict(match: dict[str, Any]) -> str:
    if match["keep"] is None:
        return "dropped: nothing was left of it"
    if not match["keep"]:
        return f"dropped: {match['reason']}"
    return "held out" if match["held_out"] else "kept"


def matches_of(graph: Graph, workdir: Path) -> Iterator[pl.DataFrame]:
    """The matches of all sources that are judged: columns benchmark, item_id, doc_id. Raises as above."""
    for compared in _compared(graph, workdir, WantedMatches()):
        yield compared.matches(workdir).select("benchmark", "item_id", "doc_id")

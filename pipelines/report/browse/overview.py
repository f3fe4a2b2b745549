"""The run at a glance: its sources with what became of their documents, as its report counted them."""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.report.browse.corpus import Corpus, Source
from pipelines.report.browse.links import link
from pipelines.report.finished import Finished


def overview(corpus: Corpus) -> dict[str, Any]:
    """What the first page shows. Counts are None where no report of these verdicts is there."""
    counts = _counts(corpus)
    recipe = corpus.graph.recipe
    shown = {source.name for source in corpus.sources}
    return {
        "name": recipe.name,
        "description": recipe.description,
        "unfinished": Finished(corpus.workdir).how_far(corpus.graph.stages()),
        "has_report": (corpus.workdir / "report.html").is_file(),
        "sources": [_source(source, counts.get(source.name)) for source in corpus.sources],
        "not_judged": [p.scope for p, _ in corpus.graph.part_stages() if p.scope not in shown],
    }


def _source(source: Source, counted: dict[str, Any] | None) -> dict[str, Any]:
    def documents(**query: str) -> str:
        return link("/documents", source=source.name, **query)

    dropped = counted["dropped"] if counted else {}
    return {
        "name": source.name,
        "group": source.parts.domain,
        "documents": source.documents,
        "link": documents(),
        "verdicts": [
            {"link": documents(verdict="kept"), "documents": _trained(counted)},
            {"link": documents(verdict="held out"), "documents": counted and counted["held_out"]},
            {"link": documents(verdict="dropped"), "documents": counted and sum(dropped.values())},
        ],
        "reasons": [
            {"reason": reason, "documents": number, "link": documents(verdict="dropped", reason=reason)}
            for reason, number in dropped.items()
        ],
    }


def _trained(counted: dict[str, Any] | None) -> int | None:
    """What is kept and not held out."""
    return counted["kept"] - counted["held_out"] if counted else None


def _counts(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """The report's figures of each source, where it is a report of the verdicts as they are."""
    try:
        report = orjson.loads((corpus.workdir / "report.json").read_bytes())
        reported = {stage["stage"]: stage["fingerprint"] for stage in report["stages"]}
        counted = {each["source"]: each for each in report["sources"] if each["kept"] is not None}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return {
        source.name: counted[source.name]
        for source in corpus.sources
        if source.name in counted and reported.get(source.select.label) == source.select.fingerprint
    }

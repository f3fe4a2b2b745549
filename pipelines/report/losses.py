"""What a source lost on the way, for the report and in the sentences that end a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipelines.sources.base import BadRecord
from pipelines.sources.passed_over import PassedOver, describe
from pipelines.stages.ingest import PASSED_OVER, Ingest
from pipelines.stages.set_aside import losses_of, quarantined


def losses(ingest: Ingest, workdir: Path) -> dict[str, Any]:
    """What a source's files hold that became no document, JSON-able."""
    lost = losses_of(ingest.manifest(workdir).counts)
    first = next(quarantined(ingest, workdir), None)
    return {
        "input_bytes": lost.input_bytes,
        "lost_bytes": lost.bytes,
        "lost": {r: {"records": loss.records, "bytes": loss.bytes} for r, loss in lost.reasons.items()},
        "lost_in_words": lost.in_words() if lost.reasons else "",
        "first_lost": _place(BadRecord(**first.slice(0, 1).to_pylist()[0])) if first else None,
        "passed_over": orjson.loads((ingest.folder(workdir) / PASSED_OVER).read_bytes()),
    }


def _place(record: BadRecord) -> str:
    return f"{record.file}:{record.position}" if record.position else record.file


def set_aside_lines(sources: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each source of a report whose files hold more than was read."""
    for source in sources:
        if source.get("lost"):
            yield f"{source['source']}: {source['lost_in_words']} set aside, first {source['first_lost']}"
        if source.get("passed_over"):
            yield f"{source['source']}: {describe([PassedOver(**each) for each in source['passed_over']])}"


def warnings(sources: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each source of a report that gave nothing, or lost more than half of its documents."""
    for source in sources:
        name, documents, kept = source["source"], source["documents"], source["kept"]
        if not documents:
            yield f"the source `{name}` has no document{_mainly(source['set_aside'])}"
        elif kept == 0:
            yield f"no document of the source `{name}` was kept{_mainly(source['dropped'])}"
        elif kept < documents / 2:
            dropped = f"{documents - kept:,} of {documents:,} documents of the source `{name}` were dropped"
            yield dropped + _mainly(source["dropped"])


def _mainly(reasons: dict[str, int]) -> str:
    if not reasons:
        return ""
    reason = max(reasons, key=lambda reason: reasons[reason])
    return f", most of them for `{reason}` ({reasons[reason]:,})"

"""What a source lost on the way, for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.sources.base import BadRecord
from pipelines.stages.set_aside import ReadingStage, losses_of, quarantined


def losses(stage: ReadingStage, workdir: Path) -> dict[str, Any]:
    """What the files that a stage reads hold that became no document, JSON-able."""
    lost = losses_of(stage.manifest(workdir).counts)
    first = next(quarantined(stage, workdir), None)
    return {
        "input_bytes": lost.input_bytes,
        "lost_bytes": lost.bytes,
        "lost": {r: {"records": loss.records, "bytes": loss.bytes} for r, loss in lost.reasons.items()},
        "lost_in_words": lost.in_words() if lost.reasons else "",
        "first_lost": _place(BadRecord(**first.slice(0, 1).to_pylist()[0])) if first else None,
    }


def _place(record: BadRecord) -> str:
    return f"{record.file}:{record.position}" if record.position else record.file

"""What text edits did to the documents of a source, for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from pipelines.execution.counts import Count
from pipelines.stages.boilerplate import MOST_REMOVED, WithoutBoilerplate
from pipelines.stages.ingest import Ingest
from pipelines.stages.parts import PartStage


def edit_reports(ingest: Ingest, workdir: Path) -> list[dict[str, Any]]:
    """What each text edit of a source did."""
    counts = ingest.manifest(workdir).counts
    return [
        {
            "source": ingest.scope,
            "edit": name,
            "documents_changed": counts.number("documents_changed", scope=name),
            "documents_emptied": counts.dropped("records")[Count("emptied", name)],
            "bytes_added": counts.number("bytes_added", scope=name),
            "bytes_removed": counts.dropped("bytes")[Count("removed", name)],
            "counts": {done: number for (_, edit, done), number in counts.rows("edited") if edit == name},
        }
        for name in dict.fromkeys(edit.name for edit in ingest.edits)
    ]


def boilerplate_reports(parts: PartStage, workdir: Path) -> list[dict[str, Any]]:
    """What recurring lines were removed from a source; nothing where none were looked for."""
    if not isinstance(parts, WithoutBoilerplate):
        return []
    counts = parts.manifest(workdir).counts
    config = parts.recurring.lines.config
    return [
        {
            "source": parts.scope,
            "unit": config.unit,
            "min_documents": config.min_documents,
            "recurring": parts.recurring.manifest(workdir).counts.number("recurring"),
            "removed": counts.number("units_removed"),
            "characters_removed": counts.number("characters_removed"),
            "bytes_removed": counts.dropped("bytes").total(),
            "documents_changed": counts.number("documents_changed"),
            "documents_emptied": counts.dropped("documents").total(),
            "most_removed": orjson.loads(parts.path(workdir, MOST_REMOVED).read_bytes()),
        }
    ]

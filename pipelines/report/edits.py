"""What text edits did to the documents of a source, for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from pipelines.stages.boilerplate import MOST_REMOVED, WithoutBoilerplate
from pipelines.stages.ingest import Ingest
from pipelines.stages.parts import PartStage


def edit_reports(ingest: Ingest, workdir: Path) -> list[dict[str, Any]]:
    """What each text edit of a source did."""
    counts = ingest.manifest(workdir).counts
    removed = counts.flows["bytes"].dropped if "bytes" in counts.flows else {}
    records = counts.flows["records"].dropped if "records" in counts.flows else {}
    found = []
    for name in dict.fromkeys(edit.name for edit in ingest.edits):
        facts = {
            key.removeprefix(f"edit {name}: "): number
            for key, number in sorted(counts.facts.items())
            if key.startswith(f"edit {name}: ")
        }
        found.append(
            {
                "source": ingest.scope,
                "edit": name,
                "documents_changed": facts.pop("documents changed", 0),
                "documents_emptied": records.get(f"emptied by {name}", 0),
                "bytes_added": facts.pop("bytes added", 0),
                "bytes_removed": removed.get(f"removed by {name}", 0),
                "counts": facts,
            }
        )
    return found


def boilerplate_reports(parts: PartStage, workdir: Path) -> list[dict[str, Any]]:
    """What recurring lines were removed from a source; nothing where none were looked for."""
    if not isinstance(parts, WithoutBoilerplate):
        return []
    counts = parts.manifest(workdir).counts
    config = parts.recurring.lines.config
    sizes, documents = (
        counts.flows[unit].dropped if unit in counts.flows else {} for unit in ("bytes", "documents")
    )
    return [
        {
            "source": parts.scope,
            "unit": config.unit,
            "min_documents": config.min_documents,
            "recurring": parts.recurring.manifest(workdir).counts.facts["recurring"],
            "removed": counts.facts[f"{config.unit}s removed"],
            "characters_removed": counts.facts["characters removed"],
            "bytes_removed": sum(sizes.values()),
            "documents_changed": counts.facts["documents changed"],
            "documents_emptied": sum(documents.values()),
            "most_removed": orjson.loads((parts.folder(workdir) / MOST_REMOVED).read_bytes()),
        }
    ]

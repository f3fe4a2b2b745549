"""The plan: what a run would do and why, from manifests and sizes; it changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.execution.counts import Count
from pipelines.execution.manifest import Damaged, Manifest, read_manifest
from pipelines.execution.output import read_receipt, read_tasks
from pipelines.execution.stage import Stage
from pipelines.graph.build import DOCUMENTS, Graph
from pipelines.graph.reasons import Made, reasons
from pipelines.stages.boilerplate import RecurringLines
from pipelines.stages.ingest import Ingest
from pipelines.stages.mix import Mix, MixStage
from pipelines.stages.parts import PartStage
from pipelines.stages.shards import Shards
from pipelines.stages.tokenize import Tokenize

BYTES_A_TOKEN = 4.0


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a plan. `parts`, `bytes` and `tokens` are estimates before the run, None where unknown."""

    label: str
    kind: str
    section: str
    """The source, synthesis or mixture that it belongs to; `documents` where it is about all of them."""
    state: str
    reasons: list[str]
    """Why it must run, where that is not only because a stage before it does."""
    after: list[str]
    """The stages before it that must run."""
    parts: int | None
    tasks_done: int
    bytes: int | None
    tokens: int | None
    reusable_documents: int
    inputs: list[str]


def make_plan(graph: Graph, workdir: Path) -> list[PlannedStage]:
    """The stages of `graph` in order, each cached or to run, and why it must run."""
    planned: list[PlannedStage] = []
    running: set[str] = set()
    for stage in graph.stages():
        planned.append(_planned(stage, graph, workdir, running))
        if planned[-1].state != "cached":
            running.add(stage.label)
    return planned


def _planned(stage: Stage, graph: Graph, workdir: Path, running: set[str]) -> PlannedStage:
    manifest = stage.manifest(workdir) if stage.is_finished(workdir) else None
    tasks_done = 0 if manifest else _receipts(stage, workdir)
    state = "cached" if manifest else ("resume" if tasks_done else "run")
    return PlannedStage(
        label=stage.label,
        kind=stage.name,
        section=section_of(stage),
        state=state,
        reasons=[] if manifest else list(_reasons(stage, workdir, running)),
        after=[before.label for before in stage.inputs if before.label in running],
        parts=_parts(stage, manifest),
        tasks_done=len(manifest.tasks) if manifest else tasks_done,
        bytes=_bytes(stage, manifest),
        tokens=_tokens(stage, graph, manifest),
        reusable_documents=_reusable(stage, workdir) if isinstance(stage, Tokenize) and not manifest else 0,
        inputs=[before.label for before in stage.inputs],
    )


def section_of(stage: Stage) -> str:
    """The source, synthesis or mixture that a stage is about; `documents` where it is about all."""
    parts = getattr(stage, "parts", None)
    if isinstance(parts, PartStage):
        return parts.origin.scope
    return stage.scope if isinstance(stage, PartStage | RecurringLines | MixStage | Shards) else DOCUMENTS


def _receipts(stage: Stage, workdir: Path) -> int:
    folder = stage.folder(workdir)
    tasks = len(read_tasks(folder) or ())
    return sum(1 for number in range(tasks) if read_receipt(folder, number))


def _reasons(stage: Stage, workdir: Path, running: set[str]) -> Iterator[str]:
    """Why the stage is not cached, compared with its latest finished run under other settings.

    That a stage before it must run is no reason of its own.
    """
    earlier = _latest(stage, workdir)
    if earlier is None:
        yield "not run before"
        return
    yield from reasons(Made.of(earlier), Made.to_be(stage), running)


def _latest(stage: Stage, workdir: Path) -> Manifest | None:
    folders = [
        folder
        for folder in (workdir / "stages").glob(f"{stage.slug}-*")
        if (folder / "manifest.json").exists() and folder.name.rpartition("-")[0] == stage.slug
    ]
    newest = max(folders, key=lambda folder: (folder / "manifest.json").stat().st_mtime_ns, default=None)
    try:
        return read_manifest(newest) if newest else None
    except Damaged:  # or of another version of the program
        return None


def _parts(stage: Stage, manifest: Manifest | None) -> int | None:
    """Units of work; of an input that was not read yet about as many as its size says."""
    if manifest:
        return len(manifest.tasks)
    size = stage.source.size() if isinstance(stage, Ingest) else None
    return (
        max(1, math.ceil(size / stage.part_bytes)) if size is not None and isinstance(stage, Ingest) else None
    )


def _bytes(stage: Stage, manifest: Manifest | None) -> int | None:
    if manifest:
        return sum(file.bytes for file in manifest.all_files())
    return stage.source.size() if isinstance(stage, Ingest) else None


def _tokens(stage: Stage, graph: Graph, manifest: Manifest | None) -> int | None:
    tokens = manifest.counts.facts.get(Count("tokens")) if manifest else None
    if tokens is not None:
        return tokens
    if isinstance(stage, Mix):
        return stage.mixture.tokens
    if (
        isinstance(stage, Tokenize)
        and isinstance(stage.parts.origin, Ingest)
        and (size := stage.parts.origin.source.size())
    ):
        return int(size / BYTES_A_TOKEN)
    return None


def _reusable(stage: Tokenize, workdir: Path) -> int:
    """Documents in the latest tokenization of this source, if tokenizer and parts are the same."""
    earlier = _latest(stage, workdir)
    if (
        earlier is None
        or earlier.version != stage.version
        or earlier.settings != stage.settings
        or earlier.inputs[stage.parts.label].fingerprint != stage.parts.fingerprint
    ):
        return 0
    return earlier.counts.left("documents")

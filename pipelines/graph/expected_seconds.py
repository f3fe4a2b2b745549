"""How long each stage is expected to take: what those of its kind took in this folder, else what is usual.

A stage is weighed by the text of the sources behind it, in bytes as they are read: whatever a run drops of it
on the way, an earlier run dropped as well.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from pipelines.execution.manifest import MANIFEST, Damaged, Manifest, read_manifest
from pipelines.execution.stage import Stage, inputs_first
from pipelines.graph.build import Graph
from pipelines.graph.estimate import MB_A_SECOND
from pipelines.graph.preflight import Preflight
from pipelines.stages.contamination.semantic_matches import SemanticMatches
from pipelines.stages.synthesis.made_documents import MadeDocuments

OTHER_MB_A_SECOND = 200.0
"""Of kinds that read little or no text: sidecars, verdicts, lengths, ids."""
LOADING_SECONDS = 0.3
"""For each stage: its code, its worker, its manifest."""
ASK_A_MODEL = (MadeDocuments, SemanticMatches)
"""Their time is that of a server nobody has timed yet."""


def text_of_sources(graph: Graph, workdir: Path, looked: Preflight) -> dict[str, int]:
    """Bytes of text of each source that is read, or by its first records, by its stage's label."""
    sizes = {}
    for ingest in graph.ingests:
        preview = looked.previews.get(ingest.scope)
        if ingest.is_finished(workdir):
            sizes[ingest.label] = ingest.manifest(workdir).counts.number("text_bytes_written")
        elif preview is not None and preview.text_bytes is not None:
            sizes[ingest.label] = preview.text_bytes
    return sizes


def expected_seconds(stages: Iterable[Stage], workdir: Path, text: Mapping[str, int]) -> dict[str, float]:
    """Seconds of a run that each stage takes, by the name of its folder; none of what nobody knows.

    Args:
        stages: Those that are to run, and all that they come from.
        workdir: Where earlier runs may have left stages of the same kinds.
        text: Bytes of text by the labels of the stages that read sources.
    """
    took = _seconds_a_byte(workdir)
    workers = os.cpu_count() or 1
    expected: dict[str, float] = {}
    firsts: dict[str, frozenset[str]] = {}
    for stage in inputs_first(stages):
        before = [firsts[each.folder_name] for each in stage.inputs]
        firsts[stage.folder_name] = frozenset().union(*before) if before else frozenset({stage.label})
        size = sum(text.get(label, 0) for label in firsts[stage.folder_name])
        if stage.name in took:
            expected[stage.folder_name] = size * took[stage.name]
        elif not isinstance(stage, ASK_A_MODEL):
            rate = MB_A_SECOND.get(stage.name, OTHER_MB_A_SECOND) * workers
            expected[stage.folder_name] = LOADING_SECONDS + size / 1e6 / rate
    return expected


def _seconds_a_byte(workdir: Path) -> dict[str, float]:
    """What finished stages of each kind took for a byte of the sources behind them, with any settings."""
    found = dict(_manifests(workdir))

    @cache
    def first_folders(folder: str) -> frozenset[str]:
        """The folders without inputs that a folder comes from."""
        before = [each.folder for each in found[folder].inputs.values() if each.folder in found]
        return frozenset().union(*map(first_folders, before)) if before else frozenset({folder})

    seconds: dict[str, float] = defaultdict(float)
    text: dict[str, int] = defaultdict(int)
    for folder, manifest in found.items():
        sources = (found[first].counts.number("text_bytes_written") for first in first_folders(folder))
        if read := sum(sources):
            seconds[manifest.stage] += manifest.seconds
            text[manifest.stage] += read
    return {kind: seconds[kind] / text[kind] for kind in text}


def _manifests(workdir: Path) -> Iterator[tuple[str, Manifest]]:
    for path in (workdir / "stages").glob(f"*/{MANIFEST}"):
        try:
            manifest = read_manifest(path.parent)
        except Damaged:
            continue  # the run finds it too
        if manifest is not None:
            yield path.parent.name, manifest

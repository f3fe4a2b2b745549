"""What a run will read, find, write and take: exact where stages are finished, else by the first records."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from mixers.budget import Mixture, asked_of_groups
from pipelines.execution.counts import Flow
from pipelines.graph.build import Graph
from pipelines.graph.plan import section_of
from pipelines.graph.preflight import Preflight
from pipelines.graph.source_estimate import SourceEstimate
from pipelines.graph.synthesis_estimate import SynthesisEstimate, synthesis_estimates
from pipelines.graph.token_rate import TokenRate, token_rates
from pipelines.graph.training_estimate import (
    HeldOutEstimate,
    TrainingEstimate,
    held_out_estimates,
    training_estimates,
)
from pipelines.stages.contamination.matches import Matches
from pipelines.stages.contamination.training_passages import TrainingPassages
from pipelines.stages.ingest import Ingest
from pipelines.stages.mix import Mix
from pipelines.stages.select import Select
from pipelines.stages.sidecar import Annotation
from pipelines.stages.tokenize import Tokenize

PART_BYTES = 0.3
"""Bytes of parts for each byte of text, which zstd compresses: 0.09 (code) to 0.31 (prose), on 36 MB."""
SIDECAR_BYTES = 300
"""Bytes of annotations and verdicts for each document, with three rule sets and MinHash: 190 to 330."""
ID_BYTES = 1.1
"""Bytes of tokenized files for each byte of ids: masks and descriptions go with them."""
SHARD_BYTES = 1.05
"""Bytes of shards for each byte of ids: 1.01 to 1.03."""

MB_A_SECOND = {
    "ingest": 40.0,
    "annotate": 20.0,
    "decontaminate": 25.0,
    "tokenize": 20.0,
    "training_passages": 40.0,
}
"""Megabytes of text that one core does, where this folder has not measured it: curation.md, evaluation.md."""
KINDS = {
    "ingest": Ingest,
    "annotate": Annotation,
    "decontaminate": Matches,
    "tokenize": Tokenize,
    "training_passages": TrainingPassages,
}
SECONDS_MEASURED = 10
"""A shorter measurement is no measurement: most of it is loading."""


@dataclass(frozen=True)
class GroupEstimate:
    """What a mixture asks of a group, and what there is."""

    mixture: str
    group: str
    unit: str
    asked: int
    available: int | None
    """In one pass; None where nobody knows before the run."""
    epochs: float | None
    max_epochs: float
    lacking: int
    """Of what is asked, beyond `max_epochs`."""
    less_than_a_row: bool
    """So little is asked that there may be no row of it."""


@dataclass(frozen=True)
class Step:
    """Work that is left to do."""

    name: str
    text_bytes: int
    mb_a_second: float
    measured: bool
    """In this folder, with the workers that it ran with; else what as many workers as cores would do."""
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What is known before the run."""

    sources: list[SourceEstimate]
    groups: list[GroupEstimate]
    held_out: list[HeldOutEstimate]
    training: list[TrainingEstimate]
    synthesis: list[SynthesisEstimate]
    """What asks a model and is not finished."""
    disk_bytes: int
    """That are still to be written."""
    free_bytes: int
    steps: list[Step]


def estimate(graph: Graph, workdir: Path, looked: Preflight) -> Estimate:
    """What a run will read, find, write and take."""
    own = {tokenize.scope: tokenize for tokenize in _tokenize_stages(graph)}
    rates = token_rates(graph, workdir, looked)
    sources = [
        _source(graph, ingest, own.get(ingest.scope), workdir, looked, rates) for ingest in graph.ingests
    ]
    groups = [
        group
        for name, mix in graph.mixes.items()
        if isinstance(mix, Mix)
        for group in _groups(name, mix.mixture, sources, graph)
    ]
    held_out = list(held_out_estimates(graph, workdir, sources))
    return Estimate(
        sources,
        groups,
        held_out,
        list(training_estimates(graph, workdir, sources, held_out)),
        list(synthesis_estimates(graph, workdir, sources, rates)),
        _disk_bytes(graph, workdir, sources, rates),
        shutil.disk_usage(_existing(workdir)).free,
        [step for kind in MB_A_SECOND if (step := _step(kind, graph, workdir, sources)).text_bytes],
    )


def _tokenize_stages(graph: Graph) -> Iterable[Tokenize]:
    return (stage for stage in graph.stages() if isinstance(stage, Tokenize))


def _source(
    graph: Graph,
    ingest: Ingest,
    tokenize: Tokenize | None,
    workdir: Path,
    looked: Preflight,
    rates: Mapping[str, TokenRate],
) -> SourceEstimate:
    preview = looked.previews.get(ingest.scope)
    finished = ingest.manifest(workdir).counts if ingest.is_finished(workdir) else None
    text: int | None = None
    documents: int | None = None
    if finished:
        text = finished.number("text_bytes_written")
        documents = finished.flows.get("records", Flow()).left
    elif preview:
        text, documents = preview.text_bytes, preview.records
    rate = rates.get(ingest.scope)
    tokens = round(text * rate.tokens) if text is not None and rate else None
    loss = round(text * rate.loss_tokens) if text is not None and rate else None
    tokenized = tokenize is not None and tokenize.is_finished(workdir)
    if tokenized and tokenize is not None:
        encoded = tokenize.manifest(workdir).counts.number("tokens")
        loss = round(encoded * loss / tokens) if tokens and loss else encoded
        tokens = encoded
    return SourceEstimate(
        source=ingest.scope,
        group=ingest.domain,
        input_bytes=preview.input_bytes if preview else ingest.source.size(),
        text_bytes=text,
        documents=documents,
        tokens=tokens,
        loss_tokens=loss,
        exact=finished is not None,
        usable=_usable(graph.select_of(ingest.scope), ingest.scope, workdir, kept_only=tokenized),
    )


def _usable(select: Select, source: str, workdir: Path, kept_only: bool) -> float:
    """Of a source's documents, or only of the kept ones, the share that may be trained on."""
    if not select.is_finished(workdir):
        return 1 - select.held_out_share
    usable = counted = 0
    for _, verdict in select.verdicts(workdir, source):
        keep = verdict.column("keep")
        usable += pc.sum(pc.and_not(keep, verdict.column("held_out"))).as_py() or 0
        counted += (pc.sum(keep).as_py() or 0) if kept_only else len(keep)
    return usable / counted if counted else 0.0


def _groups(
    name: str, mixture: Mixture, sources: list[SourceEstimate], graph: Graph
) -> Iterable[GroupEstimate]:
    own = set(graph.recipe.own_sources)
    unknown = graph.recipe.relabelled | graph.recipe.synthesize.domains | set(mixture.groups)
    for group, asked in asked_of_groups(mixture).items():
        feeding = [each for each in sources if each.group == group and each.source in own]
        amounts = [each.tokens if mixture.unit == "tokens" else each.loss_tokens for each in feeding]
        available: int | None = None
        if group not in unknown and None not in amounts:
            usable = (amount * each.usable for amount, each in zip(amounts, feeding, strict=True) if amount)
            available = round(sum(usable))
        allowed = mixture.epochs_allowed(group)
        yield GroupEstimate(
            mixture=name,
            group=group,
            unit=mixture.unit,
            asked=asked,
            available=available,
            epochs=asked / available if available else None,
            max_epochs=allowed,
            lacking=0 if available is None else max(0, asked - int(available * allowed)),
            less_than_a_row=asked < mixture.sequence_length,
        )


def _disk_bytes(
    graph: Graph, workdir: Path, sources: list[SourceEstimate], rates: Mapping[str, TokenRate]
) -> int:
    """What parts, sidecars, ids and shards that are not there yet will take."""
    width = max((rate.id_bytes for rate in rates.values()), default=4)
    waiting = {kind: _waiting(graph, workdir, kind) for kind in (Ingest, Annotation, Tokenize)}
    needed = 0.0
    for each in sources:
        needed += (each.text_bytes or 0) * PART_BYTES * (each.source in waiting[Ingest])
        needed += (each.documents or 0) * SIDECAR_BYTES * (each.source in waiting[Annotation])
        needed += (each.tokens or 0) * width * ID_BYTES * (each.source in waiting[Tokenize])
    for name, shards in graph.shards.items():
        mix = graph.mixes[name]
        if isinstance(mix, Mix) and not shards.is_finished(workdir):
            needed += mix.mixture.tokens * width * SHARD_BYTES
    return round(needed)


def _waiting(graph: Graph, workdir: Path, kind: type) -> set[str]:
    """The sources that have a stage of this kind left to run."""
    return {
        section_of(stage)
        for stage in graph.stages()
        if isinstance(stage, kind) and not stage.is_finished(workdir)
    }


def _step(name: str, graph: Graph, workdir: Path, sources: list[SourceEstimate]) -> Step:
    kind = KINDS[name]
    waiting = _waiting(graph, workdir, kind)
    text = sum(each.text_bytes or 0 for each in sources if each.source in waiting)
    rate = _measured(graph, workdir, kind, sources)
    speed = rate or MB_A_SECOND[name] * (os.cpu_count() or 1)
    return Step(name, text, round(speed, 1), rate is not None, round(text / 1e6 / speed, 1))


def _measured(graph: Graph, workdir: Path, kind: type, sources: list[SourceEstimate]) -> float | None:
    """Megabytes a second of the finished stages of a kind; None where they took too little time to tell."""
    done = [stage for stage in graph.stages() if isinstance(stage, kind) and stage.is_finished(workdir)]
    seconds = sum(stage.manifest(workdir).seconds for stage in done)
    read = {section_of(stage) for stage in done}
    text = sum(each.text_bytes or 0 for each in sources if each.source in read)
    return text / 1e6 / seconds if seconds >= SECONDS_MEASURED and text else None


def _existing(folder: Path) -> Path:
    """The folder, or the one around it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder

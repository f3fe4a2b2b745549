"""Annotations: the sidecars of a source together, joined by row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.stages.bad_words import BadWords
from pipelines.stages.dedup.bands import Bands
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.language import Language
from pipelines.stages.parts import PartStage
from pipelines.stages.sidecar import Sidecar
from pipelines.stages.signals import Signals


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What is known of the documents of one source: each sidecar is a stage of its own."""

    hashes: Hashes
    language: Language
    bands: Bands | None = None
    signals: tuple[Signals, ...] = ()
    bad_words: BadWords | None = None

    @property
    def parts(self) -> PartStage:
        """The documents."""
        return self.hashes.parts

    @property
    def scope(self) -> str:
        """The name of the source."""
        return self.parts.scope

    @property
    def sidecars(self) -> tuple[Sidecar, ...]:
        """All sidecars that there are."""
        others = (self.bands, *self.signals, self.bad_words)
        return (self.hashes, self.language, *(sidecar for sidecar in others if sidecar))

    def tables(self, workdir: Path, columns: Collection[str]) -> Iterator[pa.Table]:
        """Columns of each part's documents, whichever sidecars hold them, part by part."""
        for part in self.parts.part_names(workdir):
            yield self.table(workdir, part, columns)

    def table(self, workdir: Path, part: str, columns: Collection[str]) -> pa.Table:
        """Columns of one part's documents."""
        joined: dict[str, pa.ChunkedArray] = {}
        for sidecar in self.sidecars:
            wanted = [name for name in sidecar.columns if name in columns and name not in joined]
            if wanted:
                table = sidecar.table(workdir, part, wanted)
                joined |= {name: table.column(name) for name in wanted}
        return pa.table(joined)

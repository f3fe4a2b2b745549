"""The texts of the documents that a mixture contains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.execution.fingerprint import fingerprint
from pipelines.stages.document_rows import Rows, row_groups
from pipelines.stages.mix import MixStage
from pipelines.stages.parts import PartStage


@dataclass(frozen=True)
class MixedTexts:
    """The documents of the finished plan `mix` of the run in `workdir`, whole, by file and row."""

    mix: MixStage
    workdir: Path

    @property
    def fingerprint(self) -> str:
        """Names which documents there are, and what they say."""
        parts = [stage.parts.manifest(self.workdir).content for stage in self.mix.tokenized]
        return fingerprint([self.mix.manifest(self.workdir).content, parts])

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self._parts)

    def texts(self, file: int, rows: Rows | None = None) -> Iterator[tuple[int, str]]:
        """Row and text of the documents of a file, or of those at ascending `rows`; a row group at a time."""
        stage, part = self._parts[file]
        if rows is None:
            rows = self.mix.used_rows(self.workdir, stage.scope, part)
        for found, table in row_groups(stage.path(self.workdir, part), rows, ["text"]):
            yield from zip(found.tolist(), table.column("text").to_pylist(), strict=True)

    @cached_property
    def _parts(self) -> list[tuple[PartStage, str]]:
        """The part of each file, as the plan numbers files."""
        stages = {stage.scope: stage.parts for stage in self.mix.tokenized}
        files = self.mix.files(self.workdir)
        return [(stages[scope], name.replace(".arrow", ".parquet")) for scope, name in files]

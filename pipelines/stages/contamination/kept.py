"""The stage of `coupage decontaminate` that a recipe has no use for: it judges by everything together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl
import pyarrow as pa
from typing_extensions import override

from pipelines.execution.output import Task
from pipelines.execution.stage import Stage
from pipelines.stages.contamination.verdicts import CUT, DROP, ContaminationVerdicts
from pipelines.stages.kept import Kept


@dataclass(frozen=True, kw_only=True)
class KeptClean(Kept):
    """The documents that no match drops."""

    dropped_as: ClassVar[str] = "contaminated"
    verdicts: ContaminationVerdicts

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, *self.verdicts.stages)

    @property
    @override
    def settings(self) -> dict[str, object]:
        return self.verdicts.settings

    @override
    def is_kept(self, workdir: Path, task: Task, rows: int) -> pa.BooleanArray:
        matches = self.verdicts.table(workdir, task["part"])
        dropped = matches.filter(pl.col("action").is_in([DROP, CUT]))["row"]
        return pl.arange(0, rows, eager=True).is_in(dropped.unique().implode()).not_().to_arrow()

"""How far a run has come: which of its stages are finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.execution.stage import AnyStage, Stage


@dataclass(frozen=True)
class Finished:
    """The finished stages of the run in `workdir`; each is looked at once."""

    workdir: Path
    _known: dict[str, bool] = field(default_factory=dict)

    def __contains__(self, stage: Stage) -> bool:
        if stage.label not in self._known:
            self._known[stage.label] = stage.is_finished(self.workdir)
        return self._known[stage.label]

    def of(self, stages: Iterable[AnyStage]) -> Iterator[AnyStage]:
        """Those of the stages that are finished."""
        return (stage for stage in stages if stage in self)

    def next_of(self, stages: Iterable[Stage]) -> Stage | None:
        """The first that is not finished; None where all are."""
        return next((stage for stage in stages if stage not in self), None)

    def how_far(self, stages: Iterable[Stage]) -> dict[str, Any] | None:
        """How many stages are finished and which comes next; None where all are."""
        stages = list(stages)
        coming = self.next_of(stages)
        if coming is None:
            return None
        return {
            "finished_stages": len(list(self.of(stages))),
            "stages": len(stages),
            "next_stage": coming.label,
        }

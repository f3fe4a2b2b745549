"""What trials of a run gave: a file for each question that was asked, beside the run's results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipelines.execution.manifest import Damaged, read_sealed, write_sealed
from pipelines.execution.stage import Stage

FOLDER = "trials"
"""In the folder of a run."""
STAGES = "stages"
"""In such a file: the names of the stages' folders that it comes from, which `coupage clean` leaves."""


def write_trial_results(workdir: Path, name: str, content: dict[str, Any], stages: Iterable[Stage]) -> Path:
    """Keep what trials gave, with the stages that it comes from; returns the file."""
    path = workdir / FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    write_sealed(path, content | {STAGES: sorted({stage.folder_name for stage in stages})})
    return path


def read_trial_results(workdir: Path, name: str) -> dict[str, Any] | None:
    """What was kept under a name; None where nothing was. Raises Damaged."""
    path = workdir / FOLDER / f"{name}.json"
    return read_sealed(path) if path.is_file() else None


def stages_of_trials(workdir: Path) -> Iterator[str]:
    """The names of the folders of all stages that kept results come from."""
    for path in sorted((workdir / FOLDER).glob("*.json")):
        try:
            yield from read_sealed(path)[STAGES]
        except Damaged:
            continue

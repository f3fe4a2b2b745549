"""`kept/`: the documents that a command keeps of those it was given."""

from __future__ import annotations

from pathlib import Path

from pipelines.commands.job import place_file
from pipelines.stages.kept import Kept

KEPT = "kept"


def publish_kept(kept: Kept, work: Path, output: Path) -> None:
    """Give the files of the stage their places."""
    (output / KEPT).mkdir()
    for name in kept.manifest(work).part_names(".parquet"):
        place_file(kept.path(work, name), output / KEPT / name)

"""Checkpoints: ordinary model folders plus the trainer's state, complete or absent, the last few kept.

A checkpoint is written to `.partial/checkpoint-<step>`, flushed, and renamed into place. `cursor.json`
inside says how many rows the run has consumed, of which shards, under which settings.
"""

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mixers.lock import locked
from trainers.config import StageTraining
from trainers.errors import ResumeError
from trainers.integrity import write_hashes

PARTIAL = ".partial"
_PREFIX = "checkpoint-"
_CURSOR = "cursor.json"


class Cursor(BaseModel):
    """How far a run has come, and what it is a run of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    row: int
    seconds: float
    shards_fingerprint: str
    start_fingerprint: str
    stage: StageTraining

    @classmethod
    def start(cls, shards_fingerprint: str, start_fingerprint: str, stage: StageTraining) -> "Cursor":
        """The cursor of a run that has trained nothing yet.

        Args:
            shards_fingerprint: Of what it trains on.
            start_fingerprint: Of the model that it starts from.
            stage: Its settings.
        """
        return cls(
            step=0,
            row=0,
            seconds=0.0,
            shards_fingerprint=shards_fingerprint,
            start_fingerprint=start_fingerprint,
            stage=stage,
        )

    def require_same_run(self, run: "Cursor") -> None:
        """Raise ResumeError unless shards, start and what decides the weights are those of `run`, as asked.

        The numbers of rows per step and of processes may differ: the run goes on at its row.
        """
        if run.shards_fingerprint != self.shards_fingerprint:
            raise ResumeError(
                f"The checkpoint was trained on shards with the fingerprint {self.shards_fingerprint}, but"
                f" these have {run.shards_fingerprint}. Resume with the shards of that run, or"
                " choose a new output folder."
            )
        if run.start_fingerprint != self.start_fingerprint:
            raise ResumeError(
                f"The run started from another model ({self.start_fingerprint}) than it would now"
                f" ({run.start_fingerprint}), which may have been trained again since. Resume with that one,"
                " or choose a new output folder."
            )
        for name in ("optimizer", "adapter", "phases", "seed"):
            if getattr(run.stage, name) != getattr(self.stage, name):
                raise ResumeError(
                    f"The checkpoint was trained with another `{name}`: {getattr(self.stage, name)!r}. Set it"
                    " back to resume, or choose a new output folder."
                )


def only_training_in(output: Path) -> AbstractContextManager[None]:
    """Keep other processes from training into `output`; raise ResumeError when one does so already."""
    refusal = ResumeError(
        f"Another process is training in {output}. Wait for it or stop it (workers may outlive the"
        " launcher that started them), or choose another output folder."
    )
    return locked(output, refusal)


def write_cursor(checkpoint: Path, cursor: Cursor) -> None:
    """Put the cursor beside the weights."""
    (checkpoint / _CURSOR).write_text(cursor.model_dump_json(indent=1))


def read_cursor(checkpoint: Path) -> Cursor:
    """The cursor of a complete checkpoint."""
    return Cursor.model_validate_json((checkpoint / _CURSOR).read_text())


def publish(partial: Path, output: Path, keep: int) -> None:
    """Flush a finished checkpoint, rename it into `output`, and remove all but the last `keep`."""
    write_hashes(partial)
    for path in partial.iterdir():
        _flush(path)
    _flush(partial)
    final = output / partial.name
    shutil.rmtree(final, ignore_errors=True)
    os.replace(partial, final)
    _flush(output)
    for old in checkpoints(output)[:-keep]:
        shutil.rmtree(old)


def checkpoints(output: Path) -> list[Path]:
    """The complete checkpoints in a run's folder, oldest step first."""
    found = [path for path in output.glob(f"{_PREFIX}*") if (path / _CURSOR).is_file()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(_PREFIX)))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
